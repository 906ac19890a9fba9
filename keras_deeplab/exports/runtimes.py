"""Runs exported files in their own runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

_SAVED_MODEL_CODE = """
import sys
import numpy as np
import tensorflow as tf
path, images, outputs = sys.argv[1:]
serve = tf.saved_model.load(path).signatures["serving_default"]
with np.load(images) as arrays:
    results = [next(iter(serve(tf.constant(arrays[name])).values())) for name in arrays.files]
np.savez(outputs, *[result.numpy() for result in results])
"""


def run_tflite(path: Path, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a TFLite file on batches of images; quantised scores come back as float32."""
    interpreter = _interpreter()(str(path))
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    results = []
    for image in images:
        interpreter.resize_tensor_input(source["index"], image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], image.astype(source["dtype"]))
        interpreter.invoke()
        result = interpreter.get_tensor(target["index"])
        scale, zero = target["quantization"]
        results.append((result.astype("float32") - zero) * scale if scale else result)
    return results


def run_onnx(path: Path, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs an ONNX file on batches of images."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModuleNotFoundError(
            "An ONNX file is checked by onnxruntime. Run: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [np.asarray(session.run(None, {name: image})[0]) for image in images]


def run_saved_model(path: Path, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a SavedModel on batches of images, in a fresh process that knows TensorFlow only."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "images.npz"), Path(folder, "outputs.npz")
        np.savez(inputs, *images)
        run = subprocess.run(
            [sys.executable, "-c", _SAVED_MODEL_CODE, str(path), str(inputs), str(outputs)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if run.returncode:
            raise ValueError(
                f"A fresh process must be able to run the SavedModel. Received: "
                f"{run.stderr.strip().splitlines()[-1:] or 'a crash'}."
            )
        with np.load(outputs) as arrays:
            return [arrays[name] for name in arrays.files]


RUNTIMES = {"tflite": run_tflite, "onnx": run_onnx, "saved_model": run_saved_model}


def runtime_name(format: str) -> str:
    """Returns what runs the files of a format, in words."""
    if format == "tflite":
        if find_spec("ai_edge_litert") is None:
            return "TensorFlow's interpreter (ai-edge-litert is not installed)"
        return "ai-edge-litert"
    return {"onnx": "onnxruntime", "saved_model": "TensorFlow, in a fresh process"}[format]


def _interpreter() -> Any:
    if find_spec("ai_edge_litert") is None:
        import tensorflow as tf

        return tf.lite.Interpreter
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter
