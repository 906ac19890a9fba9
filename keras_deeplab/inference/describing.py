"""Builds a `Segmenter` from a network that the reader of its format has opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_deeplab.inference.scores import are_probabilities
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.sidecar import Sidecar
from keras_deeplab.presets.datasets import dataset_of

# Used for dynamic dimensions.
_PROBE_SHAPE = (1, 65, 65)


class Hints(NamedTuple):
    """What the caller specifies about a network.

    Attributes:
        class_names: Names by label id, which override those of the network.
        fallback_names: Names by label id, used if the network has none.
        from_logits: Whether it returns logits (True) or probabilities (False); None: detected.
    """

    class_names: Sequence[str] | None = None
    fallback_names: Sequence[str] | None = None
    from_logits: bool | None = None


class Opened(NamedTuple):
    """A network as returned by the reader of its format.

    Attributes:
        run: Function from uint8 images, (batch, height, width, 3), to float32 scores or to labels.
        input_shape: Shape of the images, as the file states it; None for dynamic dimensions.
        sidecar: Metadata that the export wrote next to the file.
        name: Name of the file.
        batch_size: Default number of images per call.
    """

    run: Callable[[np.ndarray], np.ndarray]
    input_shape: tuple[int | None, ...]
    sidecar: Sidecar
    name: str
    batch_size: int = 1


def checked(opened: Opened, hints: Hints) -> Segmenter:
    """Runs a network on a grey image and returns it with its names.

    Raises:
        ValueError: If it does not map images to scores or labels of their size, or its classes
            are unknown.
    """
    opened.sidecar.check_images()
    shape = opened.input_shape
    if len(shape) != 4 or shape[-1] != 3:
        raise ValueError(
            f"The network must take RGB images of shape (batch, height, width, 3). Received: "
            f"{opened.name}, which takes shape {shape}."
        )
    batch, height, width = (
        side or free for side, free in zip(shape[:3], _PROBE_SHAPE, strict=True)
    )
    grey = np.full((batch, height, width, 3), 127, "uint8")
    try:
        result = opened.run(grey)
    except Exception as error:
        # Each runtime raises exceptions of its own.
        raise ValueError(
            f"The network must run on an image of {height}x{width}. Received: {opened.name}, "
            f"which says: {_first_line(error)}"
        ) from error
    if not np.isfinite(result).all():
        raise ValueError(
            f"The scores of a network must be finite. Received: {opened.name}, which returns NaN "
            f"or infinity for a grey image. Its weights are damaged, or its training diverged."
        )
    kind = _kind(result, grey.shape, opened, hints)
    names = _names(None if kind == "labels" else result.shape[-1], hints, opened)
    return described(opened, kind, names)


def described(opened: Opened, output: str, class_names: Sequence[str]) -> Segmenter:
    """Returns a segmenter; unknown attributes are those of the dataset of its classes."""
    known, dataset = opened.sidecar, dataset_of(tuple(class_names))
    return Segmenter(
        run=opened.run,
        input_shape=tuple(opened.input_shape),
        output=output,
        class_names=tuple(class_names),
        palette=known.palette or dataset.palette,
        ignore_class=dataset.ignore_class if known.ignore_class is None else known.ignore_class,
        inference_size=known.inference_size or dataset.inference_size,
        name=opened.name,
        batch_size=opened.batch_size,
    )


def _kind(result: np.ndarray, images: tuple[int, ...], opened: Opened, hints: Hints) -> str:
    fits = result.ndim in (3, 4) and result.shape[:3] == images[:3]
    if not fits or (result.ndim == 3 and not np.issubdtype(result.dtype, np.integer)):
        raise ValueError(
            f"The network must return class scores of shape (batch, height, width, classes), or "
            f"labels of shape (batch, height, width), at the size of the images. Received: "
            f"{opened.name}, which returns shape {result.shape} for images of shape {images}."
        )
    if result.ndim == 3:
        return "labels"
    if hints.from_logits is not None:
        return "logits" if hints.from_logits else "probabilities"
    if opened.sidecar.output in ("logits", "probabilities"):
        return opened.sidecar.output
    return "probabilities" if are_probabilities(result) else "logits"


def _names(classes: int | None, hints: Hints, opened: Opened) -> tuple[str, ...]:
    sidecar = opened.sidecar
    for source, found in (
        ("class_names", hints.class_names),
        (str(sidecar.path), sidecar.class_names),
        ("The dataset", hints.fallback_names),
    ):
        if found is None:
            continue
        if classes not in (None, len(found)):
            raise ValueError(
                f"{source} must name the network's {classes} classes. Received: {len(found)} names "
                f"for {opened.name}."
            )
        return tuple(found)
    raise ValueError(
        f"The classes must be known. Received: {opened.name} without {sidecar.path}, where "
        f"an export of keras_deeplab stores them. Pass class_names (on the shell, "
        f"--class-names or --dataset)."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
