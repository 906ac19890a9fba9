"""Weights: locate or download files, verify and read them, assign weights by layer name."""

from keras_deeplab.weights.conversion import convert
from keras_deeplab.weights.download import weights_file
from keras_deeplab.weights.load import all_layers, load_arrays, named_weights

__all__ = ["all_layers", "convert", "load_arrays", "named_weights", "weights_file"]
