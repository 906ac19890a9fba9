"""Keras layers for what Keras lacks; importing this package registers them for loading."""

from keras_deeplab.layers.resize import ResizeBilinear
from keras_deeplab.layers.segmentation_output import SegmentationOutput

__all__ = ["ResizeBilinear", "SegmentationOutput"]
