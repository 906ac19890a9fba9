"""Losses on the overlap of true and predicted regions of a class: Dice and Lovasz-softmax."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, final

import keras
from keras import ops

from keras_deeplab._validation import check_choice
from keras_deeplab.losses.targets import targets


class _Regions(keras.losses.Loss):
    """A mean over classes, for the whole batch as one image or for each image."""

    default_name: str

    def __init__(
        self,
        *,
        ignore_class: int | None = 255,
        classes: str = "present",
        per_image: bool = False,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        check_choice("classes", classes, ("present", "all"))
        super().__init__(name=name or self.default_name, reduction=reduction, dtype="float32")
        self.ignore_class = ignore_class
        self.classes = classes
        self.per_image = per_image

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is not None and not self.per_image:
            raise ValueError(
                f"{type(self).__name__} takes sample_weight only with per_image=True: otherwise "
                f"the batch is one image. Received: a sample_weight with per_image=False."
            )
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels, counts = targets(y_true, y_pred, ignore_class=self.ignore_class)
        number = y_pred.shape[-1]
        counts = ops.expand_dims(ops.cast(counts, "float32"), -1)
        truth = ops.one_hot(labels, number) * counts
        probabilities = ops.softmax(y_pred) * counts

        def pictures(x: Any) -> Any:
            x = ops.reshape(x, (ops.shape(y_pred)[0] if self.per_image else 1, -1, x.shape[-1]))
            return ops.transpose(x, (0, 2, 1))

        truth, probabilities, counts = map(pictures, (truth, probabilities, counts))
        losses = self.class_losses(truth, probabilities)
        if self.classes == "present":
            scored = ops.cast(ops.any(truth > 0, -1), "float32")
        else:
            scored = ops.cast(ops.any(counts > 0, -1), "float32") * ops.ones_like(losses)
        return ops.divide_no_nan(ops.sum(losses * scored, -1), ops.sum(scored, -1))

    @abstractmethod
    def class_losses(self, truth: Any, probabilities: Any) -> Any:
        """Returns the loss of every class, of shape (pictures, classes).

        Both arguments have shape (pictures, classes, pixels) and are 0 where ignored.
        """

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ignore_class": self.ignore_class,
            "classes": self.classes,
            "per_image": self.per_image,
        }


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class Dice(_Regions):
    """One minus the soft Dice coefficient, (2 |A and B| + smooth) / (|A| + |B| + smooth).

    A is the true region of a class, B its probabilities; ignored pixels belong to neither. On
    several devices, each computes the overlap of its own part of the batch.

    Args:
        smooth: Pixels added to numerator and denominator.
        ignore_class: Label to ignore, or None. Labels that are not a class are ignored too.
        classes: "present" averages over the classes in the ground truth, "all" over all classes.
        per_image: True computes the overlap of each image and averages over images; False computes
            the overlap of the whole batch.
        name: Name of the loss.
        reduction: Reduction over images: "sum_over_batch_size", "sum" or None.

    Call arguments:
        y_true: Integer labels of shape (batch, height, width) or (batch, height, width, 1); or
            one-hot labels of shape (batch, height, width, classes).
        y_pred: Logits of shape (batch, new_height, new_width, classes), at most as large.
        sample_weight: Weights of shape (batch,); requires ``per_image``.

    Returns:
        float32 scalar; 0 without valid pixels.

    Raises:
        ValueError: If a rank, a size or an argument is wrong.

    Example:

    >>> float(Dice(smooth=0)(np.array([[[0, 1]]]), np.zeros((1, 1, 2, 2))))
    0.5

    Reference:
        Milletari et al., arXiv:1606.04797, section 3, without the squares.
    """

    default_name = "dice"

    def __init__(
        self,
        smooth: float = 1.0,
        *,
        ignore_class: int | None = 255,
        classes: str = "present",
        per_image: bool = False,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        if smooth < 0:
            raise ValueError(f"smooth must be at least 0. Received: smooth={smooth!r}.")
        super().__init__(
            ignore_class=ignore_class,
            classes=classes,
            per_image=per_image,
            name=name,
            reduction=reduction,
        )
        self.smooth = smooth

    def class_losses(self, truth: Any, probabilities: Any) -> Any:
        overlap = 2 * ops.sum(truth * probabilities, -1) + self.smooth
        return 1 - ops.divide_no_nan(overlap, ops.sum(truth + probabilities, -1) + self.smooth)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smooth": self.smooth}


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class LovaszSoftmax(_Regions):
    """The Lovasz extension of the intersection-over-union loss, applied to probabilities.

    If all probabilities are 0 or 1, it equals one minus the mean intersection over union. It sorts
    all pixels once per class, which on large crops is slower than a convolution.

    Args:
        ignore_class: Label to ignore, or None. Labels that are not a class are ignored too.
        classes: "present" averages over the classes in the ground truth, "all" over all classes.
        per_image: True computes the overlap of each image and averages over images; False computes
            the overlap of the whole batch.
        name: Name of the loss.
        reduction: Reduction over images: "sum_over_batch_size", "sum" or None.

    Call arguments:
        y_true: Integer labels of shape (batch, height, width) or (batch, height, width, 1); or
            one-hot labels of shape (batch, height, width, classes).
        y_pred: Logits of shape (batch, new_height, new_width, classes), at most as large.
        sample_weight: Weights of shape (batch,); requires ``per_image``.

    Returns:
        float32 scalar; 0 without valid pixels.

    Raises:
        ValueError: If a rank, a size or an argument is wrong.

    Example:

    >>> float(LovaszSoftmax()(np.array([[[0, 1]]]), np.zeros((1, 1, 2, 2))))
    0.5

    Reference:
        Berman et al., arXiv:1705.08790, section 2 and algorithm 1.
    """

    default_name = "lovasz_softmax"

    def class_losses(self, truth: Any, probabilities: Any) -> Any:
        # Ignored pixels have error 0, so they add nothing wherever they are sorted.
        errors = ops.abs(truth - probabilities)
        order = ops.argsort(-ops.stop_gradient(errors), -1)
        errors, truth = (ops.take_along_axis(x, order, -1) for x in (errors, truth))
        return ops.sum(errors * _jaccard_steps(truth), -1)


def _jaccard_steps(truth: Any) -> Any:
    """Increase of the Jaccard loss by each further wrong pixel, from the worst pixel on.

    A missed true pixel subtracts 1 from the intersection; other wrong pixels add 1 to the union.
    This closed form has no cancellation, unlike differences of consecutive losses.
    """
    total = ops.sum(truth, -1, keepdims=True)
    intersection = total - ops.cumsum(truth, -1)
    union = total + ops.cumsum(1 - truth, -1)
    added = ops.divide_no_nan(intersection, union * (union - 1))
    # Without true pixels, the first wrong pixel increases the loss from 0 to 1.
    added = ops.where((total == 0) & (union == 1), 1.0, added)
    return ops.where(truth > 0, ops.divide_no_nan(ops.ones_like(union), union), added)
