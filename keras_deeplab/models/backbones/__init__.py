"""Backbones: builder functions that return features by name."""

from keras_deeplab.models.backbones.families import build_backbone

__all__ = ["build_backbone"]
