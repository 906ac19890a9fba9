"""Opens Keras models and exported files as `Segmenter` objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab._files import check_file
from keras_deeplab._startup import start_backend
from keras_deeplab.inference.runtimes import onnx_runtime, saved_model_runtime, tflite_runtime
from keras_deeplab.inference.runtimes.keras_runtime import open_model
from keras_deeplab.inference.scores import are_probabilities
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.sidecar import Opened
from keras_deeplab.models.keras_file import load_keras_file
from keras_deeplab.presets.datasets import dataset_of, numbered_classes

_READERS = {".tflite": tflite_runtime.open_file, ".onnx": onnx_runtime.open_file}
# Used for dynamic dimensions.
_PROBE_SHAPE = (1, 65, 65, 3)


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
    if isinstance(model, Segmenter):
        return _changed(model, class_names, from_logits)
    if not isinstance(model, (str, Path)):
        opened = open_model(model)
    else:
        path = Path(model).expanduser()
        if not path.exists():
            raise FileNotFoundError(f"The network's file must exist. Received: {str(model)!r}.")
        is_keras = path.suffix.lower() in (".keras", ".h5") and path.is_file()
        opened = open_model(load_keras_file(path), path.name) if is_keras else open_file(path)
    return described(opened, class_names, fallback_names, from_logits)


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


def described(
    opened: Opened,
    class_names: Sequence[str] | None = None,
    fallback_names: Sequence[str] | None = None,
    from_logits: bool | None = None,
) -> Segmenter:
    """Returns an opened network with its names; the one of a file runs on a grey image first.

    What is unknown is taken from the dataset of the classes.

    Raises:
        ValueError: If it does not map images to scores or labels of their size, or its classes
            are unknown.
    """
    known, classes, output = opened.sidecar, opened.classes, opened.sidecar.output
    if classes is None:
        result = _scores_of_grey(opened)
        classes = result.shape[-1] if result.ndim == 4 else None
        if classes is None:
            output = "labels"
        elif output not in ("logits", "probabilities"):
            output = "probabilities" if are_probabilities(result) else "logits"
    if from_logits is not None and output != "labels":
        output = "logits" if from_logits else "probabilities"
    sources = {
        "class_names": class_names,
        str(known.path): known.class_names,
        "The dataset": fallback_names,
        # Only a Keras model may be without names.
        "": opened.classes and numbered_classes(opened.classes),
    }
    found = next((source for source, names in sources.items() if names is not None), None)
    if found is None:
        raise ValueError(
            f"The classes must be known. Received: {opened.name} without {known.path}, where "
            f"an export of keras_deeplab stores them. Pass class_names (on the shell, "
            f"--class-names or --dataset)."
        )
    names = _checked_names(found, sources[found] or (), classes, opened.name)
    dataset = dataset_of(names)
    return Segmenter(
        run=opened.run,
        input_shape=tuple(opened.input_shape),
        output=output or "logits",
        class_names=names,
        palette=known.palette or dataset.palette,
        ignore_class=dataset.ignore_class if known.ignore_class is None else known.ignore_class,
        inference_size=known.inference_size or dataset.inference_size,
        name=opened.name,
        batch_size=opened.batch_size,
    )


def _changed(
    segmenter: Segmenter, class_names: Sequence[str] | None, from_logits: bool | None
) -> Segmenter:
    if from_logits is not None and segmenter.output != "labels":
        segmenter = replace(segmenter, output="logits" if from_logits else "probabilities")
    if class_names is None:
        return segmenter
    names = _checked_names("class_names", class_names, len(segmenter.class_names), segmenter.name)
    return replace(segmenter, class_names=names, palette=dataset_of(names).palette)


def _checked_names(
    source: str, names: Sequence[str], classes: int | None, network: str
) -> tuple[str, ...]:
    if classes not in (None, len(names)):
        raise ValueError(
            f"{source} must name the network's {classes} classes. Received: {len(names)} names "
            f"for {network}."
        )
    return tuple(names)


def _scores_of_grey(opened: Opened) -> np.ndarray:
    """Returns what a network answers to a grey image: scores, or labels."""
    opened.sidecar.check_images()
    shape = opened.input_shape
    if len(shape) != 4 or shape[-1] != 3:
        raise ValueError(
            f"The network must take RGB images of shape (batch, height, width, 3). Received: "
            f"{opened.name}, which takes shape {shape}."
        )
    images = tuple(side or free for side, free in zip(shape, _PROBE_SHAPE, strict=True))
    try:
        result = opened.run(np.full(images, 127, "uint8"))
    except Exception as error:
        # Each runtime raises exceptions of its own.
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"The network must run on an image of {images[1]}x{images[2]}. Received: "
            f"{opened.name}, which says: {words}"
        ) from error
    if not np.isfinite(result).all():
        raise ValueError(
            f"The scores of a network must be finite. Received: {opened.name}, which returns NaN "
            f"or infinity for a grey image. Its weights are damaged, or its training diverged."
        )
    fits = result.ndim in (3, 4) and result.shape[:3] == images[:3]
    if not fits or (result.ndim == 3 and not np.issubdtype(result.dtype, np.integer)):
        raise ValueError(
            f"The network must return class scores of shape (batch, height, width, classes), or "
            f"labels of shape (batch, height, width), at the size of the images. Received: "
            f"{opened.name}, which returns shape {result.shape} for images of shape {images}."
        )
    return result
