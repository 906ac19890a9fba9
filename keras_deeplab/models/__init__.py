"""Complete networks, built from presets as functional `keras.Model` objects."""

from keras_deeplab.models.network import BuildOptions, build_model

__all__ = ["BuildOptions", "build_model"]
