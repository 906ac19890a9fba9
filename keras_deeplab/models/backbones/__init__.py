"""Backbones: builder functions that return features by name."""

from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.models.backbones.mobilenet_v2 import mobilenet_v2
from keras_deeplab.models.backbones.mobilenet_v3 import mobilenet_v3
from keras_deeplab.models.backbones.resnet import resnet
from keras_deeplab.models.backbones.vgg import vgg
from keras_deeplab.models.backbones.xception import xception

__all__ = [
    "build_backbone",
    "mobilenet_v2",
    "mobilenet_v3",
    "resnet",
    "vgg",
    "xception",
]
