"""Readers of published checkpoints: from a file to ``{"layer/variable": float32 array}``."""

from keras_deeplab.weights.readers.converters import CONVERTERS

__all__ = ["CONVERTERS"]
