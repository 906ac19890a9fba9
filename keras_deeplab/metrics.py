"""Quality of masks, from a confusion matrix."""

from __future__ import annotations

import numpy as np


def confusion_matrix(
    truth: np.ndarray, labels: np.ndarray, *, classes: int, ignore_class: int | None = 255
) -> np.ndarray:
    """Counts pixels by true and predicted label.

    Args:
        truth: Integer labels of any shape.
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of pixels to leave out.

    Returns:
        int64 array of shape (classes, classes): rows are true labels, columns predicted ones.

    Raises:
        ValueError: If shapes differ or a label that is not ignored is out of range.

    Example:

    >>> confusion_matrix(np.array([0, 1, 255]), np.array([0, 0, 1]), classes=2).tolist()
    [[1, 0], [1, 0]]
    """
    truth, labels = np.asarray(truth), np.asarray(labels)
    if truth.shape != labels.shape:
        raise ValueError(
            f"truth and labels must have one shape. Received: {truth.shape} and {labels.shape}."
        )
    valid = np.ones(truth.shape, bool) if ignore_class is None else truth != ignore_class
    truth, labels = truth[valid].astype("int64"), labels[valid].astype("int64")
    for name, values in (("truth", truth), ("labels", labels)):
        if values.size and (values.min() < 0 or values.max() >= classes):
            raise ValueError(
                f"{name} must be labels 0 to {classes - 1}, or ignore_class. "
                f"Received: {values.min()} to {values.max()}, ignore_class={ignore_class}."
            )
    counts = np.bincount(truth * classes + labels, minlength=classes**2)
    return counts.reshape(classes, classes)


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """Returns the intersection over union of every class, 0 to 1; NaN where it does not occur.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> class_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.75, 0.8, nan]
    """
    matrix = np.asarray(matrix)
    intersection = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - intersection
    occurs = matrix.sum(1) > 0
    return np.divide(intersection, union, out=np.full(len(matrix), np.nan), where=occurs)


def mean_iou(matrix: np.ndarray) -> float:
    """Returns the mean intersection over union, 0 to 1, over the classes that occur in the truth.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Returns:
        The mean; NaN if no class occurs.

    Example:

    >>> mean_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    0.775
    """
    values = class_iou(matrix)
    occurs = ~np.isnan(values)
    return float(values[occurs].mean()) if occurs.any() else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """Returns the share of pixels that are right, 0 to 1; NaN if there is none.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> pixel_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    matrix = np.asarray(matrix)
    return float(matrix.trace() / matrix.sum()) if matrix.any() else float("nan")


def frequency_weighted_iou(matrix: np.ndarray) -> float:
    """Returns the intersection over union, averaged with the classes' shares of the true pixels.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Returns:
        The mean, 0 to 1; NaN if no class occurs.

    Example:

    >>> round(frequency_weighted_iou(np.array([[3, 1], [0, 4]])), 6)
    0.775
    """
    matrix = np.asarray(matrix)
    truth = matrix.sum(1)
    if not truth.any():
        return float("nan")
    return float((np.nan_to_num(class_iou(matrix)) * truth).sum() / truth.sum())
