"""Opens networks by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_deeplab.inference.runtimes import (
    keras_runtime,
    onnx_runtime,
    saved_model_runtime,
    tflite_runtime,
)
from keras_deeplab.inference.segmenter import Names, Opened, Segmenter, checked, described

_READERS = {".tflite": tflite_runtime.open_file, ".onnx": onnx_runtime.open_file}


def open_segmenter(
    model: Any,
    *,
    class_names: Sequence[str] | None = None,
    fallback_names: Sequence[str] | None = None,
) -> Segmenter:
    """Makes anything that segments usable in one way.

    Args:
        model: A `keras.Model` from RGB 0-255 to class scores; the path of a `.keras`, `.tflite`
            or `.onnx` file or of a SavedModel's folder; or a `Segmenter`. Files are read with
            what their runtime offers: `.onnx` needs onnxruntime, `.tflite` ai-edge-litert or
            TensorFlow.
        class_names: Names by label id. Left out: those that the model carries, or that the export
            wrote beside it. Files of others need them.
        fallback_names: Names for a network that carries none.

    Returns:
        The network with names, colours and preprocessing. A file was run once on a grey image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of another kind, or not a segmentation network.
        ModuleNotFoundError: If the runtime of the file's format is not installed.

    Example:

    >>> segmenter = open_segmenter("deeplab.tflite")  # doctest: +SKIP
    >>> segmenter.class_names[:2]  # doctest: +SKIP
    ('background', 'aeroplane')
    """
    names = Names(class_names, fallback_names)
    if isinstance(model, Segmenter):
        return model if class_names is None else _renamed(model, class_names)
    if not isinstance(model, (str, Path)):
        return keras_runtime.describe(model, names)
    path = Path(model).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"The network's file must exist. Received: {str(model)!r}.")
    if path.suffix.lower() in (".keras", ".h5") and path.is_file():
        return keras_runtime.describe(keras_runtime.load(path), names, name=path.name)
    return checked(open_file(path), names)


def open_file(path: Path) -> Opened:
    """Opens an exported file, or the folder of a SavedModel, in its runtime, and runs nothing.

    Raises:
        ValueError: If it is damaged, of another kind, or has not one input and one output.
        ModuleNotFoundError: If the runtime of the file's format is not installed.
    """
    if path.is_dir():
        return saved_model_runtime.open_folder(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"A network must be a .keras, .tflite or .onnx file, or the folder of a SavedModel. "
            f"Received: {str(path)!r}."
        )
    return reader(path)


def _renamed(segmenter: Segmenter, class_names: Sequence[str]) -> Segmenter:
    if len(class_names) != len(segmenter.class_names):
        raise ValueError(
            f"class_names must name the model's {len(segmenter.class_names)} classes. Received: "
            f"{len(class_names)} names."
        )
    new = described(
        segmenter.run, segmenter.input_shape, segmenter.output, class_names, name=segmenter.name
    )
    return replace(new, ignore_class=segmenter.ignore_class)
