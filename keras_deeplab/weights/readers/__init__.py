"""Readers of published checkpoints: from a file to ``{"layer/variable": float32 array}``."""

from keras_deeplab.weights.readers.converters import read_arrays

__all__ = ["read_arrays"]
