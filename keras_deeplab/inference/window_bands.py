"""A network on windows over a large photo, blended in bands of rows with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from keras_deeplab.inference.fitting import padded, resized_image, windows
from keras_deeplab.inference.interpolation import RowResize, resized_labels
from keras_deeplab.inference.options import InferenceOptions, Size

Run = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
_BAND_ROWS = 128


def over_windows(
    run: Run, photo: np.ndarray, options: InferenceOptions, window: Size, *, labels_only: bool
) -> np.ndarray:
    """Returns the mean probabilities over windows, scales and flips, or only the best classes.

    Args:
        run: Function from images of the window's size to their probabilities.
        photo: uint8 array of shape (height, width, 3).
        options: Scales and flip.
        window: (height, width) of the windows.
        labels_only: Whether to return labels (height, width), without ever holding the
            probabilities (height, width, classes) of the whole photo.
    """
    values: Any = None
    for rows, band in _bands(run, photo, options, window):
        part = resized_labels(band, band.shape[:2]) if labels_only else band
        if values is None:
            values = np.empty((*photo.shape[:2], *part.shape[2:]), part.dtype)
        values[rows] = part
    return values


def _bands(
    run: Run, photo: np.ndarray, options: InferenceOptions, window: Size
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields rows of the photo, from top to bottom, and their mean probabilities.

    Only the rows that later windows overlap are kept.
    """
    size = photo.shape[:2]
    streams: list[tuple[int, RowResize, _Rows]] = []
    for scale in options.scales:
        scaled = max(1, round(scale * size[0])), max(1, round(scale * size[1]))
        for step in (1, -1)[: 1 + options.flip]:
            seen = resized_image(np.ascontiguousarray(photo[:, ::step]), scaled)
            streams.append((step, RowResize(scaled, size), _Rows(_blended(run, seen, window))))
    for start in range(0, size[0], _BAND_ROWS):
        rows = slice(start, min(start + _BAND_ROWS, size[0]))
        total: Any = np.zeros((), "float32")
        for step, resize, stream in streams:
            source = resize.source(rows)
            total = total + resize(stream.take(source), rows)[:, ::step]
        yield rows, total / len(streams)


def _blended(run: Run, photo: np.ndarray, window: Size) -> Iterator[np.ndarray]:
    """Yields blocks of rows of the mean probabilities of the windows over a photo."""
    height, width = photo.shape[:2]
    tiles = list(windows(photo.shape[:2], window))
    outputs = run(padded(photo[tile], window) for tile in tiles)
    total: Any = None
    first = 0
    rows = min(window[0], height)
    count = np.zeros((rows, width, 1), "float32")
    rows_of_tiles = groupby(zip(tiles, outputs, strict=True), key=lambda found: found[0][0].start)
    for top, group in rows_of_tiles:
        done = top - first
        if done:
            yield total[:done] / count[:done]
            for kept in (total, count):
                kept[: rows - done] = kept[done:].copy()
                kept[rows - done :] = 0
            first = top
        for (_, columns), output in group:
            if total is None:
                total = np.zeros((rows, width, output.shape[-1]), "float32")
            inside = total[:, columns]
            inside += output[:rows, : inside.shape[1]]
            count[:, columns] += 1
    yield total / count


class _Rows:
    """Rows of a stream of blocks; those before the last request are dropped."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        self.blocks = blocks
        self.first = 0
        self.rows: Any = None

    def take(self, rows: slice) -> np.ndarray:
        """Returns rows that start at or after those of the last call."""
        if self.rows is None:
            self.rows = next(self.blocks)
        self.rows, self.first = self.rows[rows.start - self.first :], rows.start
        while len(self.rows) < rows.stop - self.first:
            self.rows = np.concatenate([self.rows, next(self.blocks)])
        return np.asarray(self.rows[: rows.stop - self.first])
