"""Training runs."""

from keras_deeplab.training.run import Training, train

__all__ = ["Training", "train"]
