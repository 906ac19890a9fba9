"""Complete networks: functions that return a functional `keras.Model`."""

from __future__ import annotations

from keras_deeplab.models.deeplab_v3 import deeplab_v3

MODELS = {"v3": deeplab_v3}

__all__ = ["MODELS", "deeplab_v3"]
