"""Export to SavedModel, TFLite and ONNX, with a comparison to the Keras model."""

from keras_deeplab.exports.exporter import Export, export
from keras_deeplab.exports.parity import Parity
from keras_deeplab.exports.run_exported import RUNTIMES

__all__ = ["RUNTIMES", "Export", "Parity", "export"]
