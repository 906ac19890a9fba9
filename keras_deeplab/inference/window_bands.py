"""A network on windows over a large photo, blended in bands of rows with bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
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
    """Returns the mean probabilities (height, width, classes) over windows, scales and flips.

    With `labels_only`, it returns labels (height, width), without ever holding the probabilities
    of the whole photo. `run` returns the probabilities of images of the window's size.
    """
    height = photo.shape[0]
    bands = [slice(at, min(at + _BAND_ROWS, height)) for at in range(0, height, _BAND_ROWS)]
    passes = itertools.product(options.scales, (1, -1)[: 1 + options.flip])
    streams = [_bands(run, photo, bands, scale, step, window) for scale, step in passes]
    values: Any = None
    for rows in bands:
        part: Any = sum(next(stream) for stream in streams) / len(streams)
        part = resized_labels(part, part.shape[:2]) if labels_only else part
        if values is None:
            values = np.empty((*photo.shape[:2], *part.shape[2:]), part.dtype)
        values[rows] = part
    return values


def _bands(
    run: Run, photo: np.ndarray, bands: list[slice], scale: float, step: int, window: Size
) -> Iterator[np.ndarray]:
    """Yields the probabilities of bands of rows, at one scale, flipped if `step` is -1.

    Only the rows that later bands need are kept.
    """
    size = photo.shape[:2]
    scaled = max(1, round(scale * size[0])), max(1, round(scale * size[1]))
    seen = resized_image(np.ascontiguousarray(photo[:, ::step]), scaled)
    blocks, resize = _blended(run, seen, window), RowResize(scaled, size)
    kept, first = next(blocks), 0
    for rows in bands:
        source = resize.source(rows)
        kept, first = kept[source.start - first :], source.start
        while len(kept) < source.stop - first:
            kept = np.concatenate([kept, next(blocks)])
        yield resize(kept[: source.stop - first], rows)[:, ::step]


def _blended(run: Run, photo: np.ndarray, window: Size) -> Iterator[np.ndarray]:
    """Yields blocks of rows of the mean probabilities of the windows over a photo."""
    height, width = photo.shape[:2]
    tiles = list(windows(photo.shape[:2], window))
    outputs = run(padded(photo[tile], window) for tile in tiles)
    total: Any = None
    first = 0
    rows = min(window[0], height)
    count = np.zeros((rows, width, 1), "float32")
    found = zip(tiles, outputs, strict=True)
    for top, group in itertools.groupby(found, key=lambda one: one[0][0].start):
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
