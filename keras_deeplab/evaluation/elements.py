"""Images with labels, from all supported kinds of datasets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.data.sources import SegmentationFiles, WrongLabelError

_INFINITE = -1
_logger = logging.getLogger("keras_deeplab")


class Element(NamedTuple):
    """One image (height, width, 3) of uint8 and its labels (height, width)."""

    name: str
    image: np.ndarray
    labels: np.ndarray


def count(dataset: Iterable[Any], limit: int | None) -> int | None:
    """Returns the number of elements, or None if it is unknown; an endless dataset is an error."""
    endless = hasattr(dataset, "cardinality") and int(dataset.cardinality()) == _INFINITE
    if endless and limit is None:
        raise ValueError(
            "The dataset must have an end. Received: a tf.data.Dataset that repeats for ever. "
            "Remove repeat(), or pass limit."
        )
    try:
        size = len(dataset)  # type: ignore[arg-type]
    except TypeError:
        return limit
    return size if limit is None else min(size, limit)


def elements(
    dataset: Iterable[Any],
    *,
    classes: int,
    ignore_class: int,
    limit: int | None,
    left_out: list[str],
) -> Iterator[Element]:
    """Yields the images of any supported kind of dataset with their labels, checked.

    Names of files that cannot be read are added to `left_out`.

    Raises:
        ValueError: If an element has an unsupported format, its image and labels differ in size,
            or a label is not a class.
    """
    number = 0
    for value in _readable(dataset, left_out):
        for element in _split(value, number):
            if number == limit:
                return
            _check(element, classes, ignore_class)
            yield element
            number += 1


def _readable(dataset: Iterable[Any], left_out: list[str]) -> Iterator[Any]:
    """Yields what can be read; raises the first error if nothing can."""
    if not isinstance(dataset, SegmentationFiles):
        yield from dataset
        return
    first: Exception | None = None
    for index, example in enumerate(dataset.examples):
        try:
            yield dataset[index]
        except WrongLabelError:
            raise
        except (OSError, ValueError) as error:
            first = first or error
            left_out.append(example.name)
            _logger.warning("%s is left out: %s", example.name, error)
    if first is not None and len(left_out) == len(dataset):
        raise first


def _split(value: Any, number: int) -> Iterator[Element]:
    name = None
    if isinstance(value, dict) and {"image", "labels"} <= value.keys():
        image, labels, name = value["image"], value["labels"], value.get("name")
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        image, labels = value
    else:
        got = f"keys {sorted(value)}" if isinstance(value, dict) else type(value).__name__
        raise ValueError(
            f"Every element must be a dict with 'image' and 'labels', or a pair of the two. "
            f"Received: {got} as element {number}."
        )
    if not isinstance(image, (str, Path)) and np.ndim(image) == 4:
        names = np.ravel(np.asarray(name)) if name is not None else [None] * len(image)
        for i, parts in enumerate(zip(image, labels, names, strict=True)):
            yield _element(*parts, number + i)
    else:
        yield _element(image, labels, name, number)


def _element(image: Any, labels: Any, name: Any, number: int) -> Element:
    if hasattr(name, "numpy"):
        name = name.numpy()
    if name is None:
        name = Path(image).stem if isinstance(image, (str, Path)) else f"image {number}"
    name = name.decode() if isinstance(name, bytes) else str(name)
    try:
        pixels = read_image(image)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    mask = read_mask(labels) if isinstance(labels, (str, Path)) else np.asarray(labels)
    return Element(name, pixels, mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask)


def _check(element: Element, classes: int, ignore_class: int) -> None:
    name, image, labels = element
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{name}: labels must be integers of shape (height, width). Received: {labels.dtype} "
            f"of shape {labels.shape}."
        )
    if labels.shape != image.shape[:2]:
        raise ValueError(
            f"{name}: image and labels must have one size. Received: {image.shape[:2]} and "
            f"{labels.shape}."
        )
    wrong = (labels != ignore_class) & ((labels < 0) | (labels >= classes))
    if wrong.any():
        found = [int(label) for label in np.unique(labels[wrong])]
        raise ValueError(
            f"{name}: labels must be 0 to {classes - 1}, or {ignore_class} for pixels to ignore. "
            f"Received: {', '.join(map(str, found[:5]))}{' ...' if len(found) > 5 else ''} in "
            f"{wrong.mean():.1%} of the pixels. Pass the ignore_class of the masks, or a network "
            f"for their classes."
        )
