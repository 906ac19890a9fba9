"""Comparison of an export with its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# Scores that differ by less than this, relative to the largest, are a tie: both labels count.
_TIE = 1e-5


@dataclass(frozen=True)
class Parity:
    """Agreement of an export with its network on the same images.

    Attributes:
        images: Number of images.
        sizes: Their (height, width).
        equal_labels: Share of pixels with the label of the network, or a tied label.
        max_difference: Largest difference of a score; None if the export returns labels.
        relative_difference: Largest difference of a score, relative to the largest score.
        exact_crf_labels: For exports with the convolutional CRF: share of pixels with the same
            label as the permutohedral CRF.
    """

    images: int
    sizes: tuple[tuple[int, int], ...]
    equal_labels: float
    max_difference: float | None = None
    relative_difference: float | None = None
    exact_crf_labels: float | None = None


def measure_parity(
    images: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    network: Callable[[np.ndarray], np.ndarray],
    exact: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Parity:
    """Compares an export's outputs, scores or labels, with its network's.

    Args:
        images: Batches of images.
        outputs: Outputs of the export.
        network: Function from a batch to the scores of the network.
        exact: The same with the permutohedral CRF.
    """
    equal, exactly, pixels = 0, 0, 0
    difference, largest = 0.0, 0.0
    are_labels = outputs[0].ndim == 3
    for image, output in zip(images, outputs, strict=True):
        scores = network(image)
        expected = scores.shape[: output.ndim]
        if output.shape != expected or not np.isfinite(output).all():
            raise ValueError(
                f"The export must return finite values of shape {expected}. Received: shape "
                f"{output.shape}{'' if np.isfinite(output).all() else ' with infinite ones'}."
            )
        labels = output if are_labels else output.argmax(-1)
        equal += _equal_or_tied(scores, labels)
        pixels += labels.size
        if exact is not None:
            exactly += int((exact(image).argmax(-1) == labels).sum())
        if not are_labels:
            difference = max(difference, float(np.abs(scores - output).max()))
            largest = max(largest, float(np.abs(scores).max()))
    return Parity(
        images=sum(len(image) for image in images),
        sizes=tuple((image.shape[1], image.shape[2]) for image in images),
        equal_labels=equal / pixels,
        max_difference=None if are_labels else difference,
        relative_difference=None if are_labels else difference / (largest or 1.0),
        exact_crf_labels=exactly / pixels if exact is not None else None,
    )


def _equal_or_tied(scores: np.ndarray, labels: np.ndarray) -> int:
    chosen = np.take_along_axis(scores, labels[..., None].astype("intp"), -1)[..., 0]
    return int((chosen >= scores.max(-1) - _TIE * np.abs(scores).max()).sum())
