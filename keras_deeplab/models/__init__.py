"""Complete networks: from a row of the presets to a functional `keras.Model`."""

from keras_deeplab.models.network import BuildOptions, build_model

__all__ = ["BuildOptions", "build_model"]
