"""Masks of one image, and the time they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from keras_deeplab.inference import Passes, Segmenter, predict, resized_labels
from keras_deeplab.inference.dense_crf import DenseCRF

_T = TypeVar("_T")


def masks(
    segmenter: Segmenter, image: np.ndarray, passes: Passes, crf: DenseCRF | None
) -> Iterator[tuple[np.ndarray, float]]:
    """Yields labels at the size of an image and the seconds they took: without CRF, then with.

    Raises:
        ValueError: If a CRF is to refine a network that returns labels.
    """
    if crf is not None and segmenter.output == "labels":
        raise ValueError(
            f"A network must return scores for a CRF. Received: {segmenter.name}, which returns "
            f"labels. Export it without argmax."
        )
    are_logits = segmenter.output == "logits"
    scores, predicted = _timed(lambda: predict(segmenter, image, passes, from_logits=are_logits))
    labels, seconds = _timed(lambda: resized_labels(scores))
    yield labels, predicted + seconds
    if crf is None:
        return
    from_logits = are_logits and not passes.are_averaged
    refined, refining = _timed(lambda: crf(scores.scores, scores.image, from_logits=from_logits))
    labels, seconds = _timed(lambda: resized_labels(scores._replace(scores=refined)))
    yield labels, predicted + refining + seconds


def _timed(run: Callable[[], _T]) -> tuple[_T, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start
