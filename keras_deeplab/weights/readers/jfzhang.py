"""Reads DeepLab v3+ on ResNet-101 of jfzhang95/pytorch-deeplab-xception."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import torchvision_resnet_layer

_MODULES = {
    "aspp.global_avg_pool.1": "aspp_image_pooling",
    "aspp.global_avg_pool.2": "aspp_image_pooling_bn",
    "aspp.conv1": "aspp_projection",
    "aspp.bn1": "aspp_projection_bn",
    "decoder.conv1": "decoder_low_level",
    "decoder.bn1": "decoder_low_level_bn",
    "decoder.last_conv.0": "decoder_0",
    "decoder.last_conv.1": "decoder_0_bn",
    "decoder.last_conv.4": "decoder_1",
    "decoder.last_conv.5": "decoder_1_bn",
    "decoder.last_conv.8": "classifier",
}


def _layer(name: str) -> str:
    if name.startswith("backbone."):
        return torchvision_resnet_layer(name.removeprefix("backbone."))
    if match := re.fullmatch(r"aspp\.aspp([1-4])\.(atrous_conv|bn)", name):
        return f"aspp_{int(match[1]) - 1}" + "_bn" * (match[2] == "bn")
    return _MODULES.get(name, "")


def convert_jfzhang(path: str | Path) -> dict[str, np.ndarray]:
    """Reads DeepLab v3+ on ResNet-101 of jfzhang95/pytorch-deeplab-xception."""
    return rename_tensors(read_tensors(path), _layer, path, pooled_last=True)
