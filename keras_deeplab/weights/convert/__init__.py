"""Readers of published checkpoints: file in, ``{"layer/variable": float32 array}`` out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_deeplab.weights.convert.caffe import convert_caffe
from keras_deeplab.weights.convert.kazuto import convert_kazuto
from keras_deeplab.weights.convert.mmseg import convert_mmseg
from keras_deeplab.weights.convert.tflite import convert_tflite
from keras_deeplab.weights.convert.torchvision import convert_torchvision

CONVERTERS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "caffe": convert_caffe,
    "kazuto": convert_kazuto,
    "mmseg": convert_mmseg,
    "tflite": convert_tflite,
    "torchvision": convert_torchvision,
}

__all__ = [
    "CONVERTERS",
    "convert_caffe",
    "convert_kazuto",
    "convert_mmseg",
    "convert_tflite",
    "convert_torchvision",
]
