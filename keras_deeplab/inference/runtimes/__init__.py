"""Runtimes of networks: Keras models, SavedModels, TFLite and ONNX files."""
