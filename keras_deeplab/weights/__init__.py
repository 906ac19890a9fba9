"""Weights: find or download the file, verify it, read it, put it into a model by layer name."""

from keras_deeplab.weights.files import weights_file
from keras_deeplab.weights.load import load_arrays

__all__ = ["load_arrays", "weights_file"]
