"""Rewrites functional Keras networks for a smaller output stride."""

from keras_deeplab.models.rewriting.rewritten import check_image_model, rewrite

__all__ = ["check_image_model", "rewrite"]
