"""Readers of published checkpoints: file in, ``{"layer/variable": float32 array}`` out."""

from keras_deeplab.weights.readers.arrays import convert_arrays
from keras_deeplab.weights.readers.caffe import convert_caffe
from keras_deeplab.weights.readers.converters import CONVERTERS
from keras_deeplab.weights.readers.hugging_face import convert_hugging_face
from keras_deeplab.weights.readers.kazuto import convert_kazuto
from keras_deeplab.weights.readers.mmseg import convert_mmseg
from keras_deeplab.weights.readers.tf_slim import convert_tf_slim
from keras_deeplab.weights.readers.tflite_file import convert_tflite
from keras_deeplab.weights.readers.torchvision import convert_torchvision
from keras_deeplab.weights.readers.torchvision_mobilenet import convert_torchvision_mobilenet

__all__ = [
    "CONVERTERS",
    "convert_arrays",
    "convert_caffe",
    "convert_hugging_face",
    "convert_kazuto",
    "convert_mmseg",
    "convert_tf_slim",
    "convert_tflite",
    "convert_torchvision",
    "convert_torchvision_mobilenet",
]
