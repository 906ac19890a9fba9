"""Runs exported files in their target runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from keras_deeplab.inference import open_file

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


def run_file(path: Path, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a TFLite or ONNX file on batches of images; quantised scores become float32."""
    run = open_file(path).run
    return [run(image) for image in images]


def run_saved_model(path: Path, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a SavedModel on batches of images, in a new process with TensorFlow only."""
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


RUNTIMES = {"tflite": run_file, "onnx": run_file, "saved_model": run_saved_model}


def runtime_name(format: str) -> str:
    """Returns the name of the runtime of a format."""
    if format == "tflite" and find_spec("ai_edge_litert") is None:
        return "TensorFlow's interpreter (ai-edge-litert is not installed)"
    return {
        "tflite": "ai-edge-litert",
        "onnx": "onnxruntime",
        "saved_model": "TensorFlow, in a fresh process",
    }[format]
