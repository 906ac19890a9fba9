"""Quality of masks near object boundaries."""

from __future__ import annotations

import math

import numpy as np

from keras_deeplab._validation import check_int

# Cheng et al., arXiv:2103.16562, section 5: width of the boundary / image diagonal.
BOUNDARY_SHARE = 0.02


def border_distance(labels: np.ndarray, *, maximum: int, frame: bool = False) -> np.ndarray:
    """Returns the distance of every pixel to the nearest pixel with a different label.

    The distance is the maximum of the distances along rows and columns (square structuring
    element). A pixel adjacent to a different label has distance 1.

    Args:
        labels: Integer array of shape (height, width).
        maximum: Larger distances become ``maximum + 1``.
        frame: Whether the area outside the image counts as a different label.

    Returns:
        Integer array of shape (height, width), 1 to ``maximum + 1``.

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
    """Counts pixels by true and predicted label, in bands around the true borders.

    A border is any change of the true label, including changes to the ignored label: VOC's masks
    have an ignored strip along every boundary, and the papers measure next to that strip.

    Args:
        truth: Integer array of shape (height, width).
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of the pixels to exclude.
        maximum: Width of the widest band, pixels.

    Returns:
        int64 array of shape (maximum, classes, classes): the confusion matrices of the pixels up
        to 1, 2, ... pixels from a border.

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
    """Counts the pixels for the boundary IoU.

    The boundary of a class consists of its pixels within ``width`` pixels of its border or of the
    edge of the image. Ignored pixels get the ignored label in both masks, so that a correct mask
    has the true boundary.

    Args:
        truth: Integer array of shape (height, width).
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of the pixels to exclude.
        width: Width of the boundary, pixels. Default: 2 % of the image diagonal.

    Returns:
        int64 array of shape (2, classes): pixels in both boundaries, and in one or both.

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
