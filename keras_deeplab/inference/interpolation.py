"""Resizing of scores and labels in blocks of rows, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BLOCK_PIXELS = 1 << 22


def resized_scores(scores: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns scores (height, width, classes) resized bilinearly to a (height, width), float32."""
    if scores.shape[:2] == size:
        return scores.astype("float32")
    resize = RowResize(scores.shape, size)
    resized = np.empty((*size, scores.shape[-1]), "float32")
    for rows in _row_blocks(size):
        resize(scores[resize.source(rows)], rows, out=resized[rows])
    return resized


class RowResize:
    """Bilinear resizing to a new (height, width), some rows at a time, as in `resized_scores`."""

    def __init__(self, size: tuple[int, ...], new_size: tuple[int, ...]) -> None:
        self.same = size[:2] == new_size
        self.down = _taps(size[0], new_size[0])
        self.across = _taps(size[1], new_size[1])

    def source(self, rows: slice) -> slice:
        """Returns the rows of the scores from which new rows are interpolated."""
        if self.same:
            return rows
        top, bottom, _ = self.down
        return slice(int(top[rows.start]), int(bottom[rows.stop - 1]) + 1)

    def __call__(
        self, scores: np.ndarray, rows: slice, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns new rows, in `out` if given, from scores that hold `source(rows)`."""
        if self.same:
            return scores
        top, bottom, down = (tap[rows] for tap in self.down)
        left, right, across = self.across
        first = self.source(rows).start
        resized = (
            np.empty((len(top), len(left), scores.shape[-1]), "float32") if out is None else out
        )
        # Contiguous planes are several times faster than interleaved classes.
        planes = np.ascontiguousarray(np.moveaxis(scores, -1, 0), "float32")
        for label, plane in enumerate(planes):
            narrow = _lerp(plane[top - first], plane[bottom - first], down[:, None])
            resized[..., label] = _lerp(narrow[:, left], narrow[:, right], across[None, :])
        return resized


def resized_labels(scores: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns the best class of every pixel after bilinear resizing to a (height, width).

    A class that is the best of all four neighbours is the best between them, so that only pixels
    whose neighbours differ are interpolated.

    Returns:
        Array of shape (height, width), uint8, or uint16 above 256 classes.

    Example:

    >>> resized_labels(np.array([[[1.0, 0.0], [0.0, 2.0]]]), (1, 4)).tolist()
    [[0, 0, 1, 1]]
    """
    best = scores.argmax(axis=-1).astype("uint8" if scores.shape[-1] <= 256 else "uint16")
    if scores.shape[:2] == size:
        return best
    if (best == best[0, 0]).all():
        return np.full(size, best[0, 0])
    all_tops, all_bottoms, all_down = _taps(scores.shape[0], size[0])
    left, right, across = _taps(scores.shape[1], size[1])
    labels = np.empty(size, best.dtype)
    for rows in _row_blocks(size):
        top, bottom, down = all_tops[rows], all_bottoms[rows], all_down[rows]
        above, below = best[top], best[bottom]
        block = labels[rows]
        block[:] = above[:, left]
        differ = block != above[:, right]
        differ |= block != below[:, left]
        differ |= block != below[:, right]
        all_y, all_x = np.nonzero(differ)
        step = max(1, _BLOCK_PIXELS // scores.shape[-1])
        for start in range(0, len(all_y), step):
            y, x = all_y[start : start + step], all_x[start : start + step]
            first, second = (
                _lerp(
                    scores[top[y], side].astype("float32"),
                    scores[bottom[y], side].astype("float32"),
                    down[y, None],
                )
                for side in (left[x], right[x])
            )
            block[y, x] = _lerp(first, second, across[x, None]).argmax(axis=-1)
    return labels


def nearest_labels(labels: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns labels resized to a (height, width) by nearest neighbour."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype("intp")
        for old, new in zip(labels.shape, size, strict=True)
    )
    return labels[rows[:, None], columns]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Converts logits to probabilities over the last axis, in place, and returns them."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def _row_blocks(size: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, _BLOCK_PIXELS // size[1])
    for start in range(0, size[0], step):
        yield slice(start, min(start + step, size[0]))


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
