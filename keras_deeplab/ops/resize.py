"""Bilinear resizing in TensorFlow, on a given grid."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def resize_bilinear(
    images: tf.Tensor, *, size: Sequence[int | tf.Tensor], align_corners: bool
) -> tf.Tensor:
    """Resizes images bilinearly, without antialiasing.

    Args:
        images: Tensor of shape (batch, height, width, channels).
        size: New (height, width), each a Python int or a scalar tensor.
        align_corners: True aligns the centres of the corner pixels, as in TF-Slim's networks; False
            aligns the image borders (half-pixel centres).

    Returns:
        float32 tensor of shape (batch, size[0], size[1], channels).

    Example:

    >>> x = tf.constant([[[[0.0], [1.0]]]])
    >>> resize_bilinear(x, size=(1, 3), align_corners=True)[0, 0, :, 0].numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    # This op supports both grids, keeps sizes dynamic in every export, and converts to TFLite's
    # builtin RESIZE_BILINEAR; tf.image.resize supports only the half-pixel grid.
    return tf.raw_ops.ResizeBilinear(
        images=images,
        size=tf.stack([tf.cast(length, tf.int32) for length in size]),
        align_corners=align_corners,
        half_pixel_centers=not align_corners,
    )
