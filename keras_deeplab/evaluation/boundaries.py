"""Quality of masks near object boundaries."""

from __future__ import annotations

import math

import numpy as np

from keras_deeplab._validation import check_int

# Cheng et al., arXiv:2103.16562, section 5: width of the boundary / image diagonal.
BOUNDARY_SHARE = 0.02


def border_distance(labels: np.ndarray, *, maximum: int, frame: bool = False) -> np.ndarray:
    """Returns the distance of every pixel to the nearest one with a different label.

    It is the maximum of the distances along rows and columns (square structuring element): 1 for
    neighbours, and at most ``maximum + 1``. `frame`: whether the outside is a different label.

    Example:

    >>> border_distance(np.array([[0, 0, 0, 1]]), maximum=2).tolist()
    [[3, 2, 1, 1]]
    """
    check_int("maximum", maximum, minimum=1)
    labels = labels.astype("int32")
    padded = np.pad(labels, 1, constant_values=-1) if frame else np.pad(labels, 1, "edge")
    near = combine_neighbours(padded, np.maximum) != combine_neighbours(padded, np.minimum)
    distance = np.full(labels.shape, maximum + 1, "int32")
    distance -= near
    for _ in range(maximum - 1):
        near = combine_neighbours(np.pad(near, 1), np.logical_or)
        distance -= near
    return distance


def trimap_matrices(
    truth: np.ndarray, labels: np.ndarray, *, classes: int, ignore_class: int, maximum: int
) -> np.ndarray:
    """Counts pixels by true and predicted label, up to 1, 2, ... pixels from a true border.

    A border is any change of the true label, including changes to the ignored label: VOC's masks
    have an ignored strip along every boundary, and the papers measure next to that strip.

    Returns:
        int64 array of shape (maximum, classes, classes).

    Reference:
        Chen et al., arXiv:1606.00915, figure 10; Kohli et al., IJCV 2009.
    """
    distance = border_distance(truth, maximum=maximum)
    counted = (truth != ignore_class) & (distance <= maximum)
    cell = (distance[counted] - 1).astype("int64") * classes + truth[counted]
    cell = cell * classes + labels[counted]
    counts = np.bincount(cell, minlength=maximum * classes**2)
    return counts.reshape(maximum, classes, classes).cumsum(axis=0)


def boundary_counts(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    ignore_class: int,
    width: int | None = None,
) -> np.ndarray:
    """Counts the pixels for the boundary IoU: in both boundaries, and in one or both, by class.

    The boundary of a class consists of its pixels within `width` pixels (default: 2 % of the
    diagonal) of its border or of the edge of the image. Ignored pixels get the ignored label in
    both masks, so that a correct mask has the true boundary.

    Returns:
        int64 array of shape (2, classes).

    Reference:
        Cheng et al., arXiv:2103.16562.
    """
    width = width or max(1, round(BOUNDARY_SHARE * math.hypot(*truth.shape)))
    labels = np.where(truth == ignore_class, ignore_class, labels)
    true, predicted = (
        (mask != ignore_class) & (border_distance(mask, maximum=width, frame=True) <= width)
        for mask in (truth, labels)
    )
    both = np.bincount(truth[true & predicted & (truth == labels)], minlength=classes)
    either = (
        np.bincount(truth[true], minlength=classes)
        + np.bincount(labels[predicted], minlength=classes)
        - both
    )
    return np.stack([both, either])


def combine_neighbours(padded: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Combines every pixel with its eight neighbours."""
    rows = combine(combine(padded[:-2], padded[1:-1]), padded[2:])
    return combine(combine(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
