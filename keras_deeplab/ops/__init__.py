"""Tensor functions in TensorFlow."""
