"""Readers of published checkpoints: file in, ``{"layer/variable": float32 array}`` out."""

from keras_deeplab.weights.readers.converters import CONVERTERS

__all__ = ["CONVERTERS"]
