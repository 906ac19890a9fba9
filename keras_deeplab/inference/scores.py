"""One photo through a model, whatever its size, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from keras_deeplab._validation import check_int

# Mid-grey is what the networks' own zero padding means in RGB.
_PADDING_LEVEL = 127
_BLOCK_PIXELS = 1 << 22


class Network(Protocol):
    """What segments: a `keras.Model`, or a `keras_deeplab.inference.Segmenter`."""

    @property
    def input_shape(self) -> Any:
        """(batch, height, width, 3); None is free."""

    def predict_on_batch(self, x: Any) -> Any:
        """Returns the scores of a batch of images, RGB 0-255."""


class Scores(NamedTuple):
    """Class scores of a photo at the size the network saw it, and the photo's own size.

    Attributes:
        scores: Array of shape (new_height, new_width, classes); integer (new_height, new_width)
            where the network itself chooses the labels.
        height: The photo's own.
        width: The photo's own.
        image: The photo as the network saw it, uint8 of shape (new_height, new_width, 3).
    """

    scores: np.ndarray
    height: int
    width: int
    image: np.ndarray | None = None


def predict_scores(model: Network, image: np.ndarray, *, size: tuple[int, int]) -> Scores:
    """Fits a photo into the network's size, pads it with grey, and returns its scores there.

    Padded to the size it was trained with, a network's image-level features mean what they did
    in training; and photos of all shapes share one compiled graph.

    Args:
        model: A model from (batch, height, width, 3), RGB 0-255, to scores of shape (batch,
            height, width, classes), or labels of shape (batch, height, width).
        image: uint8 array of shape (height, width, 3).
        size: (height, width) in pixels; a model's own fixed input size comes before it.

    Returns:
        Scores of the photo, without the padding.

    Example:

    >>> import keras
    >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    >>> predict_scores(model, np.zeros((40, 80, 3), "uint8"), size=(64, 64)).scores.shape
    (32, 64, 2)
    """
    for length in size:
        check_int("size", length, minimum=1)
    height, width = image.shape[:2]
    fixed = model.input_shape[1:3]
    box = (fixed[0] or size[0], fixed[1] or size[1])
    image = resized_image(image, fitted_size((height, width), box))
    return Scores(padded_scores(model, image, box), height, width, image)


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


def padded_scores(model: Network, image: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """Returns the scores of a photo that the network sees with grey below and to the right."""
    height, width = image.shape[:2]
    return np.asarray(model.predict_on_batch(_padded(image, box)[None]))[0, :height, :width]


def fit_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales a photo to fit into ``size``, keeping its shape, and pads it with grey there.

    Args:
        image: uint8 array of shape (height, width, 3).
        size: (height, width) in pixels.

    Example:

    >>> fit_image(np.zeros((40, 80, 3), "uint8"), (64, 64))[:, 0, 0].tolist()[30:34]
    [0, 0, 127, 127]
    """
    height, width = image.shape[:2]
    return _padded(resized_image(image, fitted_size((height, width), size)), size)


def _padded(image: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    padding = ((0, box[0] - image.shape[0]), (0, box[1] - image.shape[1]), (0, 0))
    return np.pad(image, padding, constant_values=_PADDING_LEVEL)


def resized_labels(scores: Scores) -> np.ndarray:
    """Returns the class of every pixel of the photo, from its bilinearly resized scores.

    Labels of a network that chooses them itself take those of the nearest pixel.

    Returns:
        Array of shape (height, width), uint8, or uint16 above 256 classes.

    Example:

    >>> resized_labels(Scores(np.array([[[1.0, 0.0], [0.0, 2.0]]]), height=1, width=4)).tolist()
    [[0, 0, 1, 1]]
    """
    if scores.scores.ndim == 2:
        kind = "uint8" if scores.scores.max(initial=0) <= 255 else "uint16"
        return nearest_labels(scores.scores.astype(kind), (scores.height, scores.width))
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


def nearest_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns labels at another (height, width), each that of the nearest pixel."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype("intp")
        for old, new in zip(labels.shape, size, strict=True)
    )
    return labels[rows[:, None], columns]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turns logits into probabilities over the last axis, in place, and returns them."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


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
