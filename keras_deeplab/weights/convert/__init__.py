"""Readers of published checkpoints: file in, ``{"layer/variable": float32 array}`` out."""

from __future__ import annotations

from keras_deeplab.weights.convert.hugging_face import convert_hugging_face
from keras_deeplab.weights.convert.tf_slim import convert_tf_slim
from keras_deeplab.weights.convert.tflite import convert_tflite
from keras_deeplab.weights.convert.torchvision_mobilenet import convert_torchvision_mobilenet

CONVERTERS = {
    "hugging_face": convert_hugging_face,
    "tf_slim": convert_tf_slim,
    "tflite": convert_tflite,
    "torchvision_mobilenet": convert_torchvision_mobilenet,
}

__all__ = [
    "CONVERTERS",
    "convert_hugging_face",
    "convert_tf_slim",
    "convert_tflite",
    "convert_torchvision_mobilenet",
]
