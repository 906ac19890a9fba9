"""Segments many photos on this machine and writes their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference.bulk.result_files import ResultFiles
from keras_deeplab.inference.options import InferenceOptions
from keras_deeplab.inference.segment_photos import segment
from keras_deeplab.inference.segmentation import Segmentation


def segment_photos(
    model: Any, items: Sequence[Item], files: ResultFiles, *, options: InferenceOptions
) -> Iterator[dict[str, Any] | Exception]:
    """Yields for each photo, in order, the record of its result, or the error.

    Args:
        model: A Keras model, the path of an exported file, or a `Segmenter`.
        items: Photos, with the names of their results.
        files: Where the results go, and their format.
        options: Size, scales, flip, sliding window, CRF, batch size and workers.
    """
    if not items:
        return iter(())

    def save(number: int, result: Segmentation) -> dict[str, Any]:
        item = items[number]
        return files.save(result, photo=item.identity, name=item.name)

    return segment(model, [item.source for item in items], options=options).outcomes(save)
