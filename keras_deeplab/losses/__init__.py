"""Segmentation losses between integer labels and logits, with ignored pixels."""

from keras_deeplab.losses.pixelwise import CrossEntropy, Focal
from keras_deeplab.losses.regions import Dice, LovaszSoftmax
from keras_deeplab.losses.weighted_sum import WeightedSum

__all__ = ["CrossEntropy", "Dice", "Focal", "LovaszSoftmax", "WeightedSum"]
