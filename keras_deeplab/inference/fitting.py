"""Prepares photos for a network's input size: resizing, padding, windows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

# Mid-grey corresponds to the zero padding inside the networks.
PADDING_LEVEL = 127


def fit_image(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resizes a photo to fit `size`, preserving its aspect ratio, and pads it with grey.

    With padding to the training size, image-level features have the same meaning as in training,
    and photos of all shapes use one compiled graph.

    Example:

    >>> fit_image(np.zeros((40, 80, 3), "uint8"), (64, 64))[:, 0, 0].tolist()[30:34]
    [0, 0, 127, 127]
    """
    return padded(resized_image(image, fitted_size(image.shape[:2], size)), size)


def fitted_size(size: tuple[int, ...], box: tuple[int, ...]) -> tuple[int, int]:
    """Returns the largest (height, width) that fits a box, with the aspect ratio of `size`."""
    scale = min(box[0] / size[0], box[1] / size[1])
    height, width = (
        min(most, max(1, round(length * scale))) for length, most in zip(size, box, strict=True)
    )
    return height, width


def resized_image(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns a photo, uint8 (height, width, 3), resized to a (height, width)."""
    if image.shape[:2] == size:
        return image
    # Pillow widens the bilinear filter with the reduction, which avoids aliasing.
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def padded(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns a photo padded with grey at the bottom and the right."""
    if image.shape[:2] == size:
        return image
    filled = np.full((*size, 3), PADDING_LEVEL, "uint8")
    filled[: image.shape[0], : image.shape[1]] = image
    return filled


def windows(size: tuple[int, ...], window: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Yields the smallest number of evenly spaced windows that overlap by a third or more."""
    rows, columns = (_starts(length, side) for length, side in zip(size, window, strict=True))
    for top in rows:
        for left in columns:
            yield slice(top, top + window[0]), slice(left, left + window[1])


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    steps = math.ceil((length - side) / (side * 2 / 3))
    return [round(step * (length - side) / steps) for step in range(steps + 1)]
