"""Complete networks: from a row of the presets to a functional `keras.Model`."""

from keras_deeplab.models.network import build_model

__all__ = ["build_model"]
