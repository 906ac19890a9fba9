"""Several passes of one photo through a model, averaged: scales, mirror images, windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from keras_deeplab._validation import check_int
from keras_deeplab.inference.scores import (
    Network,
    Scores,
    fitted_size,
    padded_scores,
    predict_scores,
    resized_image,
    resized_scores,
    softmax,
)

Size = tuple[int, int]


@dataclass(frozen=True)
class Passes:
    """How a photo goes through a network.

    Attributes:
        size: (height, width) in pixels that the photo is fitted into, or of the sliding window.
            None: the photo's own size.
        scales: Factors of the size, each a pass. (0.5, 0.75, 1, 1.25, 1.5, 1.75) in the papers.
        flip: Whether each pass is run on the mirror image too.
        sliding_window: Whether the photo keeps its size and is seen through windows of `size`,
            which overlap by a third or more.

    Raises:
        ValueError: If a size or scale is out of its range, or a window has no size.

    Reference:
        Chen et al., arXiv:1706.05587, section 4.1.
    """

    size: Size | None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    sliding_window: bool = False

    def __post_init__(self) -> None:
        """Checks the settings."""
        for length in self.size or ():
            check_int("size", length, minimum=1)
        if not self.scales or any(not 0.1 <= scale <= 8 for scale in self.scales):
            raise ValueError(
                f"scales must be one or more factors from 0.1 to 8. Received: "
                f"scales={self.scales!r}."
            )
        if self.sliding_window and self.size is None:
            raise ValueError(
                "A sliding window must have a size. Received: sliding_window=True with the "
                "photo's own size. Give size=513, for example."
            )

    @property
    def are_averaged(self) -> bool:
        """Whether the scores are a mean of probabilities, whatever the network returns."""
        return self.scales != (1.0,) or self.flip or self.sliding_window


def find_passes(
    size: int | Size | str | None,
    *,
    default: Size,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    sliding_window: bool = False,
) -> Passes:
    """Returns the passes that are asked for in a user's words.

    Args:
        size: Side of a square in pixels, or (height, width); "own" for the photo's own size; None
            for the default.
        default: (height, width).
        scales: As in `Passes`.
        flip: As in `Passes`.
        sliding_window: As in `Passes`.

    Raises:
        TypeError: If the size is something else.
        ValueError: If the settings are out of range.
    """
    if size == "own":
        size = None
    elif size is None:
        size = default
    elif isinstance(size, str):
        raise ValueError(f"size must be pixels, or 'own'. Received: size={size!r}.")
    elif not isinstance(size, tuple):
        size = (size, size)
    return Passes(size, tuple(float(scale) for scale in scales), flip, sliding_window)


def predict(
    model: Network, image: np.ndarray, passes: Passes, *, from_logits: bool = True
) -> Scores:
    """Runs a photo through a network as often as `passes` say.

    One pass returns the network's own scores. Of several, the scores are resized to the photo as
    it was fitted in, turned into probabilities and averaged.

    Args:
        model: As for `predict_scores`.
        image: uint8 array of shape (height, width, 3).
        passes: Size, scales, mirror images, windows.
        from_logits: Whether the network returns logits.

    Returns:
        Scores at the size of the photo as fitted in: probabilities if `passes.are_averaged`.

    Raises:
        ValueError: If the network takes one size only and the passes need another, or returns
            labels, which have no mean.

    Example:

    >>> import keras
    >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    >>> passes = Passes((64, 64), scales=(0.5, 1), flip=True)
    >>> predict(model, np.zeros((40, 80, 3), "uint8"), passes).scores.shape
    (32, 64, 2)
    """
    _check_size(model, passes)
    own = (image.shape[0], image.shape[1])
    if not passes.are_averaged:
        return predict_scores(model, image, size=passes.size or own)
    box = own if passes.size is None else _box(model, passes.size)
    fitted = own if passes.sliding_window else fitted_size(own, box)
    total = np.zeros((), "float32")
    for scale in passes.scales:
        for step in (1, -1)[: 1 + passes.flip]:
            seen = np.ascontiguousarray(image[:, ::step])
            if passes.sliding_window:
                scores = _windows(model, seen, box, scale, from_logits=from_logits)
                resized = resized_scores(Scores(scores, *fitted))
            else:
                scores = _whole(model, seen, box, scale)
                resized = resized_scores(Scores(scores, *fitted))
                resized = softmax(resized) if from_logits else resized
            total = total + resized[:, ::step]
    total /= len(passes.scales) * (1 + passes.flip)
    return Scores(total, *own, resized_image(image, fitted))


def _whole(model: Network, image: np.ndarray, box: Size, scale: float) -> np.ndarray:
    # 513 becomes 257 and 897: features keep lying on the same points of the photo.
    height, width = (max(1, round(scale * (length - 1)) + 1) for length in box)
    return _floats(predict_scores(model, image, size=(height, width)).scores)


def _windows(
    model: Network, image: np.ndarray, window: Size, scale: float, *, from_logits: bool
) -> np.ndarray:
    """Returns the mean probabilities of the windows over a photo."""
    height, width = (max(1, round(scale * length)) for length in image.shape[:2])
    image = resized_image(image, (height, width))
    total, count = np.zeros((), "float32"), np.zeros((height, width, 1), "float32")
    for tile in _tiles((height, width), window):
        scores = _floats(padded_scores(model, image[tile], window))
        if total.ndim == 0:
            total = np.zeros((height, width, scores.shape[-1]), "float32")
        total[tile] += softmax(scores) if from_logits else scores
        count[tile] += 1
    total /= count
    return total


def _tiles(size: Size, window: Size) -> Iterator[tuple[slice, slice]]:
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


def _floats(scores: np.ndarray) -> np.ndarray:
    if scores.ndim == 2:
        raise ValueError(
            "A network must return scores to be run several times, over scales, mirror images or "
            "windows. Received: one that returns labels. Export it without argmax."
        )
    return scores.astype("float32")


def _box(model: Network, size: Size) -> Size:
    height, width = model.input_shape[1:3]
    return height or size[0], width or size[1]


def _check_size(model: Network, passes: Passes) -> None:
    fixed = tuple(model.input_shape[1:3])
    if fixed == (None, None):
        return
    if passes.scales != (1.0,) and not passes.sliding_window:
        raise ValueError(
            f"A network must take images of any size to be run at several scales. Received: one "
            f"that takes {fixed[0]}x{fixed[1]}. Build or export it with a free size, or use a "
            f"sliding window."
        )
    if passes.size is None:
        raise ValueError(
            f"A network must take images of any size to see photos at their own. Received: one "
            f"that takes {fixed[0]}x{fixed[1]}. Build or export it with a free size, or use a "
            f"sliding window."
        )
