"""Quality of masks near the borders of things."""

from __future__ import annotations

import math

import numpy as np

from keras_deeplab._validation import check_int

# Cheng et al., arXiv:2103.16562, section 5: width of the boundary, of the image's diagonal.
BOUNDARY_SHARE = 0.02


def border_distance(labels: np.ndarray, *, maximum: int, frame: bool = False) -> np.ndarray:
    """Returns how far every pixel is from the nearest one of another label.

    Distances are those of a square structuring element: the larger of the two along rows and
    columns. A pixel beside another label has distance 1.

    Args:
        labels: Integer array of shape (height, width).
        maximum: Distances above are not told apart.
        frame: Whether what lies beyond the image counts as another label.

    Returns:
        Integer array of shape (height, width), 1 to ``maximum + 1``.

    Example:

    >>> border_distance(np.array([[0, 0, 0, 1]]), maximum=2).tolist()
    [[3, 2, 1, 1]]
    """
    check_int("maximum", maximum, minimum=1)
    labels = labels.astype("int32")
    padded = np.pad(labels, 1, constant_values=-1) if frame else np.pad(labels, 1, "edge")
    near = _around(padded, np.maximum) != _around(padded, np.minimum)
    distance = np.full(labels.shape, maximum + 1, "int32")
    distance -= near
    for _ in range(maximum - 1):
        near = _around(np.pad(near, 1), np.logical_or)
        distance -= near
    return distance


def trimap_matrices(
    truth: np.ndarray, labels: np.ndarray, *, classes: int, ignore_class: int, maximum: int
) -> np.ndarray:
    """Counts pixels by true and predicted label, in bands around the true borders.

    A border is where the true label changes, to or from the ignored label too: VOC's masks have a
    strip of it along every border, and the papers measure beside that strip.

    Args:
        truth: Integer array of shape (height, width).
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of pixels to leave out.
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
    """Counts what boundary IoU is made of.

    The boundary of a class is what lies inside it, up to ``width`` pixels from its border or from
    the edge of the image. Ignored pixels are given the ignored label in both masks, so that a
    right mask has the true boundary.

    Args:
        truth: Integer array of shape (height, width).
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of pixels to leave out.
        width: Pixels; 2 % of the diagonal by default.

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


def _around(padded: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Combines every pixel with its eight neighbours."""
    rows = combine(combine(padded[:-2], padded[1:-1]), padded[2:])
    return combine(combine(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
