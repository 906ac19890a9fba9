"""Photos at the size of a network's input: scaled, padded, cut into windows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

# Mid-grey is what the networks' own zero padding means in RGB.
_PADDING_LEVEL = 127


def fit_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales a photo to fit into `size`, keeping its shape, and pads it with grey there.

    Padded to the size it was trained with, a network's image-level features mean what they did
    in training, and photos of all shapes share one compiled graph.

    Args:
        image: uint8 array of shape (height, width, 3).
        size: (height, width) in pixels.

    Example:

    >>> fit_image(np.zeros((40, 80, 3), "uint8"), (64, 64))[:, 0, 0].tolist()[30:34]
    [0, 0, 127, 127]
    """
    height, width = image.shape[:2]
    return padded(resized_image(image, fitted_size((height, width), size)), size)


def fitted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Returns the (height, width) of the largest picture of a shape that fits into a box."""
    scale = min(box[0] / size[0], box[1] / size[1])
    height, width = (
        min(most, max(1, round(length * scale))) for length, most in zip(size, box, strict=True)
    )
    return height, width


def resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a photo, uint8 (height, width, 3), at another (height, width)."""
    if image.shape[:2] == size:
        return image
    # Pillow's bilinear filter widens with the reduction, so fine detail does not alias.
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def padded(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a photo with grey below and to the right of it."""
    if image.shape[:2] == size:
        return image
    filled = np.full((*size, 3), _PADDING_LEVEL, "uint8")
    filled[: image.shape[0], : image.shape[1]] = image
    return filled


def windows(size: tuple[int, int], window: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yields the fewest evenly spread windows that overlap by a third or more."""
    rows, columns = (_starts(length, side) for length, side in zip(size, window, strict=True))
    for top in rows:
        for left in columns:
            yield slice(top, top + window[0]), slice(left, left + window[1])


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    steps = math.ceil((length - side) / (side * 2 / 3))
    return [round(step * (length - side) / steps) for step in range(steps + 1)]
