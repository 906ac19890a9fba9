"""One photo through a model, whatever its size, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
from PIL import Image

from keras_deeplab._checks import check_int

# Mid-grey is what the networks' own zero padding means in RGB.
_PADDING_LEVEL = 127
_BLOCK_PIXELS = 1 << 22


class Scores(NamedTuple):
    """Class scores of a photo at the size the network saw it, and the photo's own size.

    Attributes:
        scores: Array of shape (new_height, new_width, classes).
        height: The photo's own.
        width: The photo's own.
        image: The photo as the network saw it, uint8 of shape (new_height, new_width, 3).
    """

    scores: np.ndarray
    height: int
    width: int
    image: np.ndarray | None = None


def predict_scores(model: keras.Model, image: np.ndarray, *, size: tuple[int, int]) -> Scores:
    """Fits a photo into the network's size, pads it with grey, and returns its scores there.

    Padded to the size it was trained with, a network's image-level features mean what they did
    in training; and photos of all shapes share one compiled graph.

    Args:
        model: A model from (batch, height, width, 3), RGB 0-255, to scores of shape (batch,
            height, width, classes).
        image: uint8 array of shape (height, width, 3).
        size: (height, width) in pixels; a model's own fixed input size comes before it.

    Returns:
        Scores of the photo, without the padding.

    Example:

    >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    >>> predict_scores(model, np.zeros((40, 80, 3), "uint8"), size=(64, 64)).scores.shape
    (32, 64, 2)
    """
    for length in size:
        check_int("size", length, minimum=1)
    fixed = model.input_shape[1:3]
    box = tuple(own or length for own, length in zip(fixed, size, strict=True))
    x, (new_height, new_width) = _fitted(image, box)
    height, width = image.shape[:2]
    image = x[:new_height, :new_width]
    scores = np.asarray(model.predict_on_batch(x[None]))[0, :new_height, :new_width]
    return Scores(scores, height, width, image)


def fit_image(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Scales a photo to fit into ``size``, keeping its shape, and pads it with grey there.

    Args:
        image: uint8 array of shape (height, width, 3).
        size: (height, width) in pixels.

    Example:

    >>> fit_image(np.zeros((40, 80, 3), "uint8"), (64, 64))[:, 0, 0].tolist()[30:34]
    [0, 0, 127, 127]
    """
    return _fitted(image, size)[0]


def resized_labels(scores: Scores) -> np.ndarray:
    """Returns the class of every pixel of the photo, from its bilinearly resized scores.

    Returns:
        Array of shape (height, width), uint8, or uint16 above 256 classes.

    Example:

    >>> resized_labels(Scores(np.array([[[1.0, 0.0], [0.0, 2.0]]]), height=1, width=4)).tolist()
    [[0, 0, 1, 1]]
    """
    classes = scores.scores.shape[-1]
    contenders = _contenders(scores.scores)
    labels = np.empty((scores.height, scores.width), "uint8" if classes <= 256 else "uint16")
    for rows, planes in _blocks(scores, contenders):
        best = next(planes)
        block = np.full(best.shape, contenders[0]).astype(labels.dtype)
        for label, plane in zip(contenders[1:], planes, strict=True):
            wins = plane > best
            block[wins] = label
            np.maximum(best, plane, out=best)
        labels[rows] = block
    return labels


def resized_scores(scores: Scores) -> np.ndarray:
    """Returns the scores resized bilinearly to the photo, (height, width, classes), float32."""
    classes = scores.scores.shape[-1]
    resized = np.empty((scores.height, scores.width, classes), "float32")
    for rows, planes in _blocks(scores, np.arange(classes)):
        for label, plane in enumerate(planes):
            resized[rows, :, label] = plane
    return resized


def _fitted(image: np.ndarray, box: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns the padded photo, and its (height, width) in there."""
    height, width = image.shape[:2]
    scale = min(box[0] / height, box[1] / width)
    new_height = min(box[0], max(1, round(height * scale)))
    new_width = min(box[1], max(1, round(width * scale)))
    if (new_height, new_width) != (height, width):
        # Pillow's bilinear filter widens with the reduction, so fine detail does not alias.
        resized = Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    padding = ((0, box[0] - new_height), (0, box[1] - new_width), (0, 0))
    padded = np.pad(image, padding, constant_values=_PADDING_LEVEL)
    return padded, (new_height, new_width)


def _contenders(scores: np.ndarray) -> np.ndarray:
    """Returns the labels that can win after interpolation.

    A class below another one everywhere stays below it in every weighted mean.
    """
    classes = scores.shape[-1]
    flat = np.ascontiguousarray(scores.reshape(-1, classes).T)
    winners = np.unique(flat.argmax(axis=0))
    beaten = [
        label not in winners and any((flat[label] < flat[winner]).all() for winner in winners)
        for label in range(classes)
    ]
    return np.flatnonzero(~np.array(beaten))


def _blocks(scores: Scores, labels: np.ndarray) -> Iterator[tuple[slice, Iterator[np.ndarray]]]:
    """Yields blocks of rows, each as the planes of ``labels`` resized bilinearly."""
    planes = np.ascontiguousarray(np.moveaxis(scores.scores, -1, 0)[labels], "float32")
    top, bottom, down = _taps(planes.shape[1], scores.height)
    left, right, across = _taps(planes.shape[2], scores.width)
    step = max(1, _BLOCK_PIXELS // scores.width)
    for start in range(0, scores.height, step):
        rows = slice(start, min(start + step, scores.height))
        yield (
            rows,
            (
                _lerp(
                    narrow[:, left],
                    narrow[:, right],
                    across[None, :],
                )
                for narrow in (
                    _lerp(plane[top[rows]], plane[bottom[rows]], down[rows, None])
                    for plane in planes
                )
            ),
        )


def _taps(length: int, new_length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns, per new pixel, its two source pixels and the weight of the second (half-pixel)."""
    source = np.clip((np.arange(new_length) + 0.5) * length / new_length - 0.5, 0, length - 1)
    low = np.floor(source).astype("intp")
    return low, np.minimum(low + 1, length - 1), (source - low).astype("float32")


def _lerp(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    second -= first
    second *= weight
    second += first
    return second
