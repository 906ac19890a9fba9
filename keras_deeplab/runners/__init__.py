"""One interface over whatever segments: Keras models, SavedModels, TFLite and ONNX files."""

from keras_deeplab.runners.files import open_file, open_segmenter
from keras_deeplab.runners.segmenter import Segmenter

__all__ = ["Segmenter", "open_file", "open_segmenter"]
