"""Labels as the losses need them: of the logits' size, and which of them count."""

from __future__ import annotations

from typing import Any

from keras import ops


def sampled_positions(length: int | Any, new_length: int | Any) -> Any:
    """Returns the positions along one axis at which labels are read for smaller logits.

    Where an output stride, a power of two, leads from one size to the other these are its
    multiples, at which such a network's features are centred: every 8th pixel for 321 and 41, and
    for 320 and 40. Otherwise, as for the scale 0.75, they are the nearest to a grid from the first
    to the last pixel: exact for align-corners resizes, at most a cell off for others.

    Args:
        length: Labels along the axis.
        new_length: Logits along the axis.

    Returns:
        int32 tensor of shape (new_length,).

    Example:

    >>> sampled_positions(17, 3).numpy().tolist()
    [0, 8, 16]

    Reference:
        Chen et al., arXiv:1606.00915, section 4: ground truth sub-sampled by 8.
    """
    strides = ops.convert_to_tensor([2**k for k in range(8)], "int32")
    # At most one fits, unless there is one position only.
    fits = (length + strides - 1) // strides == new_length
    stride = ops.max(ops.where(fits, strides, 0))
    index = ops.arange(new_length, dtype="int32")
    last, new_last = length - 1, ops.maximum(new_length - 1, 1)
    nearest = (2 * index * last + new_last) // (2 * new_last)
    return ops.where(stride > 0, index * stride, nearest)


def at_logits_size(values: Any, logits: Any) -> Any:
    """Reads labels, or weights of pixels, at the places of the logits.

    Args:
        values: Tensor of shape (batch, height, width).
        logits: Tensor of shape (batch, new_height, new_width, classes).

    Returns:
        Tensor of shape (batch, new_height, new_width).

    Raises:
        ValueError: If the logits are known to be larger.
    """
    for axis in (1, 2):
        length, new_length = ops.shape(values)[axis], ops.shape(logits)[axis]
        if isinstance(length, int) and isinstance(new_length, int):
            if new_length == length:
                continue
            if new_length > length:
                raise ValueError(
                    f"The labels must be at least as large as the logits. Received: labels of "
                    f"shape {tuple(values.shape)} and logits of shape {tuple(logits.shape)}. "
                    f"Crop or resize image and mask alike."
                )
        values = ops.take(values, sampled_positions(length, new_length), axis=axis)
    return values


def targets(y_true: Any, y_pred: Any, *, ignore_class: int | None) -> tuple[Any, Any]:
    """Returns labels at the logits' size that are safe to index with, and which of them count.

    Args:
        y_true: Labels of shape (batch, height, width) or (batch, height, width, 1).
        y_pred: Logits of shape (batch, new_height, new_width, classes).
        ignore_class: Label to leave out; so is every label that is no class.

    Returns:
        int32 labels, 0 where they do not count, and booleans, both of shape (batch, new_height,
        new_width).

    Raises:
        ValueError: If the ranks are others, or the logits are larger than the labels.
    """
    shapes = f"Received: labels of shape {tuple(y_true.shape)}, logits {tuple(y_pred.shape)}."
    if len(y_pred.shape) != 4:
        raise ValueError(f"Logits must be (batch, height, width, classes). {shapes}")
    if len(y_true.shape) == 4 and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    if len(y_true.shape) != 3:
        raise ValueError(
            f"Labels must be class ids of shape (batch, height, width) or (batch, height, width, "
            f"1). {shapes} Take the argmax of one-hot labels over the last axis."
        )
    labels = ops.cast(at_logits_size(y_true, y_pred), "int32")
    counts = (labels >= 0) & (labels < y_pred.shape[-1])
    if ignore_class is not None:
        counts = counts & (labels != ignore_class)
    return ops.where(counts, labels, 0), counts
