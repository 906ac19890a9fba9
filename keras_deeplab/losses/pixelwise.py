"""Losses that are a mean over pixels: cross-entropy and focal loss."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, final

import keras
from keras import ops

from keras_deeplab.losses.targets import at_logits_size, targets


class _Pixelwise(keras.losses.Loss):
    """A mean over the valid pixels of the batch, in float32 with every dtype policy."""

    default_name: str

    def __init__(
        self,
        *,
        ignore_class: int | None = 255,
        class_weights: Sequence[float] | None = None,
        top_k: float | None = None,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name or self.default_name, reduction=reduction, dtype="float32")
        if reduction == "mean_with_sample_weight":
            raise ValueError(
                "reduction must be another than 'mean_with_sample_weight': the mean is over the "
                "valid pixels. Received: reduction='mean_with_sample_weight'. Use "
                "'sum_over_batch_size', 'sum' or None."
            )
        if class_weights is not None:
            class_weights = [float(weight) for weight in class_weights]
            if not class_weights or min(class_weights) < 0 or not 0 < sum(class_weights) < math.inf:
                raise ValueError(
                    f"class_weights must be one weight of at least 0 per class, not all 0. "
                    f"Received: class_weights={class_weights!r}."
                )
        if top_k is not None and not 0 < top_k <= 1:
            raise ValueError(
                f"top_k must be a fraction of the valid pixels, above 0 and at most 1. "
                f"Received: top_k={top_k!r}."
            )
        self.ignore_class = ignore_class
        self.class_weights = class_weights
        self.top_k = top_k

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is not None:
            sample_weight = _per_pixel(ops.convert_to_tensor(sample_weight, "float32"), y_pred)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels, counts = targets(y_true, y_pred, ignore_class=self.ignore_class)
        losses = self.pixel_losses(labels, y_pred)
        if self.class_weights is not None:
            if len(self.class_weights) != y_pred.shape[-1]:
                raise ValueError(
                    f"class_weights must have one weight per class. Received: "
                    f"{len(self.class_weights)} weights for {y_pred.shape[-1]} classes."
                )
            weights = ops.take(ops.convert_to_tensor(self.class_weights, "float32"), labels)
            losses, counts = losses * weights, counts & (weights > 0)
        if self.top_k is not None:
            counts = counts & _hardest(losses, counts, self.top_k)
        losses = ops.where(counts, losses, 0.0)
        if self.reduction in ("sum_over_batch_size", "mean"):
            # Keras divides by the number of all pixels; this corrects it to the valid ones.
            share = ops.mean(ops.cast(counts, "float32"))
            losses = ops.divide_no_nan(losses, share)
        return losses

    @abstractmethod
    def pixel_losses(self, labels: Any, logits: Any) -> Any:
        """Returns the loss of every pixel, of shape (batch, height, width)."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ignore_class": self.ignore_class,
            "class_weights": self.class_weights,
            "top_k": self.top_k,
        }


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class CrossEntropy(_Pixelwise):
    """Cross-entropy in nats per pixel, averaged over the valid pixels.

    Labels that are larger than the logits are sub-sampled at the positions of the logits, as in
    DeepLab v2. On several devices, the mean is over each device's part of the batch.

    Args:
        ignore_class: Label to ignore, or None. Labels that are not a class are ignored too; the
            data check reports them.
        class_weights: Weights by class id. The sum is still divided by the number of pixels; a
            class with weight 0 is ignored.
        top_k: Fraction, 0 to 1, of the valid pixels to keep: those with the largest (weighted) loss
            in the batch, including ties. None keeps all.
        name: Name of the loss.
        reduction: "sum_over_batch_size", "sum", or None for one value per pixel, 0 where ignored.

    Call arguments:
        y_true: Integer labels of shape (batch, height, width) or (batch, height, width, 1); or
            one-hot labels of shape (batch, height, width, classes).
        y_pred: Logits of shape (batch, new_height, new_width, classes), at most as large.
        sample_weight: Weights of shape (batch,), or (batch, height, width) per pixel. The sum is
            still divided by the number of pixels, as in Keras.

    Returns:
        float32 scalar; 0 without valid pixels.

    Raises:
        ValueError: If a rank, a size or the number of class weights is wrong.

    Example:

    >>> labels, logits = np.array([[[0, 255]]]), np.array([[[[0.0, 0.0], [9.0, 0.0]]]])
    >>> float(CrossEntropy()(labels, logits))  # ln 2
    0.6931471824645996

    Reference:
        Chen et al., arXiv:1606.00915, section 4; hard pixels: Shrivastava et al.,
        arXiv:1604.03540.
    """

    default_name = "cross_entropy"

    def pixel_losses(self, labels: Any, logits: Any) -> Any:
        return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class Focal(_Pixelwise):
    """Cross-entropy times (1 - p) ** gamma, where p is the probability of the true class.

    Args:
        gamma: Exponent that reduces the weight of well-classified pixels; 0 is `CrossEntropy`.
        ignore_class: Label to ignore, or None. Labels that are not a class are ignored too.
        class_weights: Weights by class id, the paper's alpha. The sum is still divided by the
            number of pixels; a class with weight 0 is ignored.
        top_k: Fraction, 0 to 1, of the valid pixels to keep: those with the largest (weighted) loss
            in the batch. None keeps all.
        name: Name of the loss.
        reduction: "sum_over_batch_size", "sum", or None for one value per pixel, 0 where ignored.

    Call arguments:
        y_true: Integer labels of shape (batch, height, width) or (batch, height, width, 1); or
            one-hot labels of shape (batch, height, width, classes).
        y_pred: Logits of shape (batch, new_height, new_width, classes), at most as large.
        sample_weight: Weights of shape (batch,), or (batch, height, width) per pixel.

    Returns:
        float32 scalar; 0 without valid pixels.

    Raises:
        ValueError: If a rank, a size or the number of class weights is wrong, or gamma is negative.

    Example:

    >>> float(Focal(gamma=1)(np.array([[[0]]]), np.zeros((1, 1, 1, 2))))  # ln 2 / 2
    0.3465735912322998

    Reference:
        Lin et al., arXiv:1708.02002, section 3.2.
    """

    default_name = "focal"

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        ignore_class: int | None = 255,
        class_weights: Sequence[float] | None = None,
        top_k: float | None = None,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        if gamma < 0:
            raise ValueError(f"gamma must be at least 0. Received: gamma={gamma!r}.")
        super().__init__(
            ignore_class=ignore_class,
            class_weights=class_weights,
            top_k=top_k,
            name=name,
            reduction=reduction,
        )
        self.gamma = gamma

    def pixel_losses(self, labels: Any, logits: Any) -> Any:
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        # 1 - p without cancellation; the minimum keeps the gradient finite for gamma below 1.
        wrong = ops.maximum(-ops.expm1(-losses), 1e-7)
        return losses * ops.power(wrong, self.gamma)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma}


def _per_pixel(sample_weight: Any, y_pred: Any) -> Any:
    """Returns sample weights that broadcast with losses of shape (batch, height, width)."""
    if len(sample_weight.shape) == 4:
        sample_weight = ops.squeeze(sample_weight, -1)
    if len(sample_weight.shape) == 3 and tuple(sample_weight.shape[1:]) != (1, 1):
        return at_logits_size(sample_weight, y_pred)
    return ops.reshape(sample_weight, (-1, 1, 1))


def _hardest(losses: Any, counts: Any, fraction: float) -> Any:
    """Whether a pixel is among the ``fraction`` of valid pixels with the largest losses."""
    values = ops.reshape(ops.stop_gradient(ops.where(counts, losses, -1.0)), (-1,))
    number = ops.ceil(fraction * ops.sum(ops.cast(counts, "float32")))
    number = ops.maximum(ops.cast(number, "int32"), 1)
    threshold = ops.take(ops.sort(values), ops.shape(values)[0] - number)
    return losses >= threshold
