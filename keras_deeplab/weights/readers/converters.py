"""Readers of published checkpoints: from a file to ``{"layer/variable": float32 array}``.

Each takes the path of a file, for PyTorch's networks one with the state dict or a checkpoint of the
training. All raise ValueError where the file cannot be read or contains a different network, and
FileNotFoundError where it does not exist.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_deeplab.weights.readers.arrays import convert_arrays
from keras_deeplab.weights.readers.caffe import convert_caffe
from keras_deeplab.weights.readers.hugging_face import convert_hugging_face
from keras_deeplab.weights.readers.jfzhang import convert_jfzhang
from keras_deeplab.weights.readers.kazuto import convert_kazuto
from keras_deeplab.weights.readers.mmseg import convert_mmseg
from keras_deeplab.weights.readers.smp import convert_smp
from keras_deeplab.weights.readers.tf_slim import convert_tf_slim
from keras_deeplab.weights.readers.tflite_file import convert_tflite
from keras_deeplab.weights.readers.torchvision import convert_torchvision
from keras_deeplab.weights.readers.torchvision_mobilenet import convert_torchvision_mobilenet
from keras_deeplab.weights.readers.vainf import convert_vainf

CONVERTERS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "arrays": convert_arrays,
    "caffe": convert_caffe,
    "hugging_face": convert_hugging_face,
    "jfzhang": convert_jfzhang,
    "kazuto": convert_kazuto,
    "mmseg": convert_mmseg,
    "smp": convert_smp,
    "tf_slim": convert_tf_slim,
    "tflite": convert_tflite,
    "torchvision": convert_torchvision,
    "torchvision_mobilenet": convert_torchvision_mobilenet,
    "vainf": convert_vainf,
}
