"""Export to SavedModel, TFLite and ONNX, with a comparison to the Keras model."""

from keras_deeplab.exports.export_result import Export
from keras_deeplab.exports.exporter import export
from keras_deeplab.exports.parity import Parity
from keras_deeplab.exports.run_exported import RUNTIMES
from keras_deeplab.exports.triton_repository import model_path, write_config

__all__ = ["RUNTIMES", "Export", "Parity", "export", "model_path", "write_config"]
