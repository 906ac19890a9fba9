"""Functions of tensors in TensorFlow ops."""
