"""Additional Keras layers; importing this package registers them for loading."""

from keras_deeplab.layers.atrous_conv2d import AtrousConv2D
from keras_deeplab.layers.atrous_pooling2d import AtrousAveragePooling2D, AtrousMaxPooling2D
from keras_deeplab.layers.batch_normalization import BatchNormalization
from keras_deeplab.layers.crf_as_rnn import CRFAsRNN
from keras_deeplab.layers.hard_swish import HardSwish
from keras_deeplab.layers.initializer import ScaledUniform
from keras_deeplab.layers.resize_bilinear import RescaleBilinear, ResizeBilinear, ResizeToMultiple
from keras_deeplab.layers.segmentation_output import SegmentationOutput

__all__ = [
    "AtrousAveragePooling2D",
    "AtrousConv2D",
    "AtrousMaxPooling2D",
    "BatchNormalization",
    "CRFAsRNN",
    "HardSwish",
    "RescaleBilinear",
    "ResizeBilinear",
    "ResizeToMultiple",
    "ScaledUniform",
    "SegmentationOutput",
]
