"""Losses of segmentation: integer labels against logits, ignored pixels left out."""

from keras_deeplab.losses.pixelwise import CrossEntropy, Focal
from keras_deeplab.losses.regions import Dice, LovaszSoftmax
from keras_deeplab.losses.weighted_sum import WeightedSum

__all__ = ["CrossEntropy", "Dice", "Focal", "LovaszSoftmax", "WeightedSum"]
