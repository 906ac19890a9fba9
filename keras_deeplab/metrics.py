"""Segmentation metrics from a confusion matrix: for arrays, and as a Keras metric."""

from __future__ import annotations

from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_deeplab._validation import check_int

# Larger counts use a second variable, because JAX has only 32-bit integers.
_CARRY = 2**30


def confusion_matrix(
    truth: np.ndarray, labels: np.ndarray, *, classes: int, ignore_class: int | None = 255
) -> np.ndarray:
    """Counts pixels by true and predicted label.

    Args:
        truth: Integer labels of any shape.
        labels: Predicted labels of the same shape.
        classes: Number of classes.
        ignore_class: True label of the pixels to exclude.

    Returns:
        int64 array of shape (classes, classes): rows are true labels, columns predicted labels.

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
    """Returns the intersection over union of every class, 0 to 1.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Returns:
        Array of shape (classes,); 0 for a class that is only predicted, NaN for an absent class.

    Example:

    >>> class_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.75, 0.8, nan]
    """
    matrix = np.asarray(matrix)
    intersection = matrix.diagonal()
    return _ratio(intersection, matrix.sum(0) + matrix.sum(1) - intersection)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Returns shares by class; NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def mean_iou(matrix: np.ndarray) -> float:
    """Returns the mean intersection over union, 0 to 1, of the classes that occur; NaN if none.

    A class that is only predicted counts as 0, as in `keras.metrics.MeanIoU` and torchmetrics.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> round(mean_iou(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]])), 6)
    0.583333
    """
    return _mean(class_iou(matrix))


def mean_iou_in_truth(matrix: np.ndarray) -> float:
    """Returns the mean intersection over union, 0 to 1, of the classes in the truth; NaN if none.

    Unlike in `mean_iou`, classes that are predicted but not in the ground truth are excluded; their
    pixels still count as errors of the true classes.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> mean_iou_in_truth(np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    0.875
    """
    return _mean(class_iou(matrix)[np.asarray(matrix).sum(1) > 0])


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """Returns the share of correct pixels, 0 to 1; NaN without pixels.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> pixel_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    matrix = np.asarray(matrix)
    return float(matrix.trace() / matrix.sum()) if matrix.any() else float("nan")


def mean_accuracy(matrix: np.ndarray) -> float:
    """Returns the mean share of correct pixels, 0 to 1, of the classes in the truth; NaN if none.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> mean_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    matrix = np.asarray(matrix)
    return _mean(_ratio(matrix.diagonal(), matrix.sum(1)))


def frequency_weighted_iou(matrix: np.ndarray) -> float:
    """Returns the mean IoU, 0 to 1, weighted by the true pixels per class; NaN without pixels.

    Args:
        matrix: From `confusion_matrix`, or a sum of such.

    Example:

    >>> round(frequency_weighted_iou(np.array([[3, 1], [0, 4]])), 6)
    0.775
    """
    matrix = np.asarray(matrix)
    truth = matrix.sum(1)
    if not truth.any():
        return float("nan")
    return float((np.nan_to_num(class_iou(matrix)) * truth).sum() / truth.sum())


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class MeanIoU(keras.metrics.Metric):
    """Mean intersection over union of all batches since the last reset.

    Like `keras.metrics.MeanIoU`, it averages over the classes in the ground truth or prediction. It
    also takes logits, accepts any label as ``ignore_class`` and counts with exact integers.

    Args:
        classes: Number of classes.
        ignore_class: True label to exclude, or None; other labels than classes are excluded too.
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Raises:
        TypeError: If ``classes`` is not an int.
        ValueError: If ``classes`` is less than 1.

    Example:

    >>> metric = MeanIoU(classes=2)
    >>> metric.update_state(np.array([[[0, 1, 255]]]), np.array([[[0, 1, 1]]]))
    >>> float(metric.result()), metric.per_class().tolist()
    (1.0, [1.0, 1.0])
    """

    def __init__(
        self,
        classes: int,
        *,
        ignore_class: int | None = 255,
        name: str = "mean_iou",
        **kwargs: Any,
    ) -> None:
        check_int("classes", classes, minimum=1)
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.ignore_class = ignore_class
        # "int" is the backend's largest integer type.
        counters = dict(shape=(classes, classes), initializer="zeros", dtype="int")
        self._counts = self.add_variable(**counters, name="counts")
        self._carried = self.add_variable(**counters, name="carried")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch.

        Args:
            y_true: Labels (batch, height, width), with a last axis of 1, or one-hot (0s: ignored).
            y_pred: Logits or probabilities of shape (batch, height, width, classes), or labels of
                shape (batch, height, width).
            sample_weight: Must be None: pixels are counted, not weighted.

        Raises:
            ValueError: If a shape is wrong, or sample weights are given.
        """
        if sample_weight is not None:
            raise ValueError(
                "MeanIoU must be without sample_weight: it counts pixels. Received: a "
                "sample_weight. Pass the metric as metrics=, not weighted_metrics=, and give "
                "pixels to leave out the label ignore_class."
            )
        truth, labels = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        shapes = f"Received: labels of shape {tuple(truth.shape)}, scores {tuple(labels.shape)}"
        if len(truth.shape) == 4 and truth.shape[-1] == 1:
            truth = ops.squeeze(truth, -1)
        elif len(truth.shape) == 4 and truth.shape[-1] == self.classes:
            hot = ops.cast(truth, "float32")
            truth = ops.where(ops.any(hot > 0, -1), ops.argmax(hot, -1), -1)
        if len(labels.shape) == 4:
            if labels.shape[-1] != self.classes:
                raise ValueError(
                    f"Predictions must have {self.classes} classes, as MeanIoU(classes="
                    f"{self.classes}). {shapes}."
                )
            labels = ops.argmax(labels, -1)
        if len(truth.shape) != 3 or any(
            None not in (a, b) and a != b for a, b in zip(truth.shape, labels.shape, strict=True)
        ):
            raise ValueError(
                f"Labels (batch, height, width) and predictions (batch, height, width, classes) "
                f"must be of one size. {shapes}. Resize the predictions to the labels."
            )
        truth, labels = ops.cast(truth, "int32"), ops.cast(labels, "int32")
        counted = (truth >= 0) & (truth < self.classes) & (labels >= 0) & (labels < self.classes)
        if self.ignore_class is not None:
            counted = counted & (truth != self.ignore_class)
        cells = ops.where(counted, truth * self.classes + labels, self.classes**2)
        # ops.bincount cannot be compiled by JAX or by XLA on TensorFlow.
        cells = ops.reshape(cells, (-1,))
        counts = ops.segment_sum(ops.ones_like(cells), cells, num_segments=self.classes**2 + 1)
        counts = ops.reshape(counts[:-1], (self.classes, self.classes))
        counts = self._counts + ops.cast(counts, self._counts.dtype)
        carried = counts // _CARRY
        self._counts.assign(counts - carried * _CARRY)
        self._carried.assign(self._carried + carried)

    def result(self) -> Any:
        """Returns the mean so far, 0 if no class has occurred."""
        precision = "float64" if keras.backend.backend() == "tensorflow" else "float32"
        matrix = ops.cast(self._carried, precision) * _CARRY + ops.cast(self._counts, precision)
        intersection = ops.diagonal(matrix)
        union = ops.sum(matrix, 0) + ops.sum(matrix, 1) - intersection
        occurring = ops.sum(ops.cast(union > 0, precision))
        # Counts are integers: if a union is empty, the intersection is too, and the ratio is 0.
        return ops.sum(intersection / ops.maximum(union, 1)) / ops.maximum(occurring, 1)

    def matrix(self) -> np.ndarray:
        """Returns the confusion matrix so far, int64, (true labels, predicted labels)."""
        counted, carried = map(ops.convert_to_numpy, (self._counts, self._carried))
        return carried.astype("int64") * _CARRY + counted

    def per_class(self) -> np.ndarray:
        """Returns the intersection over union of every class so far; NaN for absent classes."""
        return class_iou(self.matrix())

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "classes": self.classes, "ignore_class": self.ignore_class}
