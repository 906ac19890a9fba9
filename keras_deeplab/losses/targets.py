"""Labels at the size of the logits, with a mask of valid pixels."""

from __future__ import annotations

from typing import Any

from keras import ops


def sampled_positions(length: int | Any, new_length: int | Any) -> Any:
    """Returns the positions along one axis at which labels are sampled for smaller logits.

    If the sizes correspond to an output stride that is a power of two, the positions are its
    multiples, where the features of such a network are centred: every 8th pixel for 321 and 41, and
    for 320 and 40. Otherwise, as for the scale 0.75, they are the nearest positions to an even grid
    from the first to the last pixel: exact for align-corners resizes, at most one cell off for
    others.

    Example:

    >>> sampled_positions(17, 3).numpy().tolist()
    [0, 8, 16]

    Reference:
        Chen et al., arXiv:1606.00915, section 4: ground truth sub-sampled by 8.
    """
    strides = ops.convert_to_tensor([2**k for k in range(8)], "int32")
    # At most one stride matches, unless there is only one position.
    fits = (length + strides - 1) // strides == new_length
    stride = ops.max(ops.where(fits, strides, 0))
    index = ops.arange(new_length, dtype="int32")
    last, new_last = length - 1, ops.maximum(new_length - 1, 1)
    nearest = (2 * index * last + new_last) // (2 * new_last)
    return ops.where(stride > 0, index * stride, nearest)


def at_logits_size(values: Any, logits: Any) -> Any:
    """Samples labels, or pixel weights, at the positions of the logits.

    ``values`` have shape (batch, height, width), logits (batch, new_height, new_width, classes).
    `ValueError` if the logits are known to be larger.
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
    """Returns labels at the logits' size that are valid indices, and a mask of valid pixels.

    Args:
        y_true: Labels of shape (batch, height, width) or (batch, height, width, 1); or one-hot
            labels of shape (batch, height, width, classes), where pixels of zeros are ignored.
        y_pred: Logits of shape (batch, new_height, new_width, classes).
        ignore_class: Label to ignore. Labels that are not a class are ignored too.

    Returns:
        int32 labels, 0 for ignored pixels, and a boolean mask of valid pixels, both of shape
        (batch, new_height, new_width).
    """
    shapes = f"Received: labels of shape {tuple(y_true.shape)}, logits {tuple(y_pred.shape)}."
    if len(y_pred.shape) != 4:
        raise ValueError(f"Logits must be (batch, height, width, classes). {shapes}")
    if len(y_true.shape) == 4 and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    elif len(y_true.shape) == 4 and y_true.shape[-1] == y_pred.shape[-1]:
        one_hot = ops.cast(y_true, "float32")
        y_true = ops.where(ops.any(one_hot > 0, -1), ops.argmax(one_hot, -1), -1)
    if len(y_true.shape) != 3:
        raise ValueError(
            f"Labels must be class ids of shape (batch, height, width) or (batch, height, width, "
            f"1), or one-hot with as many classes as the logits. {shapes}"
        )
    labels = ops.cast(at_logits_size(y_true, y_pred), "int32")
    counts = (labels >= 0) & (labels < y_pred.shape[-1])
    if ignore_class is not None:
        counts = counts & (labels != ignore_class)
    return ops.where(counts, labels, 0), counts
