"""Reads a published checkpoint with the reader of its format or library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.arrays import convert_arrays
from keras_deeplab.weights.readers.caffe import convert_caffe
from keras_deeplab.weights.readers.tf_slim import convert_tf_slim
from keras_deeplab.weights.readers.tflite_file import convert_tflite
from keras_deeplab.weights.readers.torch_networks import convert_torch

# The files that are not PyTorch's.
FORMATS = {"arrays": convert_arrays, "tf_slim": convert_tf_slim, "tflite": convert_tflite}


def read_arrays(path: str | Path, converter: str, *, member: str = "") -> dict[str, np.ndarray]:
    """Reads a checkpoint.

    Args:
        path: A file.
        converter: A name in `CHECKPOINTS`.
        member: Name of the weights inside Caffe's file, if it is an archive with several.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the file cannot be read or contains a different network.
        FileNotFoundError: If the file does not exist.
    """
    if converter == "caffe":
        return convert_caffe(path, member=member)
    if converter in FORMATS:
        return FORMATS[converter](path)
    return convert_torch(converter, path)
