"""Opens Keras models and exported files as `Segmenter` objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_deeplab._files import check_file
from keras_deeplab._startup import start_backend
from keras_deeplab.inference.describing import Hints, Opened, checked
from keras_deeplab.inference.runtimes import (
    keras_runtime,
    onnx_runtime,
    saved_model_runtime,
    tflite_runtime,
)
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.models.keras_file import load_keras_file
from keras_deeplab.presets.datasets import dataset_of

_READERS = {".tflite": tflite_runtime.open_file, ".onnx": onnx_runtime.open_file}


def open_segmenter(
    model: Any,
    *,
    class_names: Sequence[str] | None = None,
    fallback_names: Sequence[str] | None = None,
    from_logits: bool | None = None,
) -> Segmenter:
    """Returns any segmentation network, in any supported format, as a `Segmenter`.

    Args:
        model: A `keras.Model` from RGB 0-255 to class scores; the path of a `.keras`, `.tflite`
            or `.onnx` file or of a SavedModel's folder; or a `Segmenter`. `.onnx` files need
            onnxruntime, `.tflite` files ai-edge-litert or TensorFlow.
        class_names: Names by label id. Required for files that this package did not export.
            Default: those stored in the model or in the metadata of the export.
        fallback_names: Names by label id, used if the network has none.
        from_logits: Whether the network returns logits (True) or probabilities (False). Default:
            taken from the metadata of the model or export; without metadata, from the activation
            of a Keras model's last layer, or from whether the scores of a file sum to 1.

    Returns:
        The network with names, colours and preprocessing. A file is run once on a grey image.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged, of another format, or not a segmentation network.
        ModuleNotFoundError: If the runtime of the file's format is not installed.

    Example:

    >>> segmenter = open_segmenter("deeplab.tflite")  # doctest: +SKIP
    >>> segmenter.class_names[:2]  # doctest: +SKIP
    ('background', 'aeroplane')
    """
    start_backend()
    hints = Hints(class_names, fallback_names, from_logits)
    if isinstance(model, Segmenter):
        return _changed(model, hints)
    if not isinstance(model, (str, Path)):
        return keras_runtime.describe(model, hints)
    path = Path(model).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"The network's file must exist. Received: {str(model)!r}.")
    if path.suffix.lower() in (".keras", ".h5") and path.is_file():
        return keras_runtime.describe(load_keras_file(path), hints, name=path.name)
    return checked(open_file(path), hints)


def open_file(path: Path) -> Opened:
    """Opens an exported file, or the folder of a SavedModel, without running it.

    Raises:
        ValueError: If it is damaged, of another format, or does not have one input and one output.
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
    check_file(path, "The network")
    return reader(path)


def _changed(segmenter: Segmenter, hints: Hints) -> Segmenter:
    if hints.from_logits is not None and segmenter.output != "labels":
        output = "logits" if hints.from_logits else "probabilities"
        segmenter = replace(segmenter, output=output)
    names = hints.class_names
    if names is None:
        return segmenter
    if len(names) != len(segmenter.class_names):
        raise ValueError(
            f"class_names must name the model's {len(segmenter.class_names)} classes. Received: "
            f"{len(names)} names."
        )
    palette = dataset_of(tuple(names)).palette
    return replace(segmenter, class_names=tuple(names), palette=palette)
