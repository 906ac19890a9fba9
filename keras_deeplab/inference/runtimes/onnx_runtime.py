"""ONNX files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from keras_deeplab.inference.sidecar import METADATA, Opened, read_sidecar, scores_or_labels

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


def open_file(path: Path) -> Opened:
    """Opens an ONNX file with onnxruntime on the CPU.

    Raises:
        ValueError: If it is damaged or another kind of file, or has not one image as input and
            one output.
        ModuleNotFoundError: If onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"ONNX files need onnxruntime. Received: {str(path)!r}. pip install onnxruntime"
        ) from error
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = os.cpu_count() or 1
    try:
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base class.
        raise ValueError(
            f"The file must be a valid ONNX network. Received: {str(path)!r} ({error})."
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in _DTYPES:
        raise ValueError(
            f"The network must have one input, of float or uint8, and one output. Received: "
            f"{str(path)!r} with inputs {[(x.name, x.type) for x in inputs]} and outputs "
            f"{[x.name for x in outputs]}."
        )
    (source,) = inputs

    def run(images: np.ndarray) -> np.ndarray:
        (result,) = session.run(None, {source.name: images.astype(_DTYPES[source.type])})
        return scores_or_labels(result)

    shape = tuple(side if isinstance(side, int) else None for side in source.shape)
    embedded = session.get_modelmeta().custom_metadata_map.get(METADATA)
    return Opened(run, shape, read_sidecar(path, embedded), str(path))
