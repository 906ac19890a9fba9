"""Readers of published checkpoints: file in, ``{"layer/variable": float32 array}`` out."""

from __future__ import annotations

from keras_deeplab.weights.convert.tflite import convert_tflite

CONVERTERS = {"tflite": convert_tflite}

__all__ = ["CONVERTERS", "convert_tflite"]
