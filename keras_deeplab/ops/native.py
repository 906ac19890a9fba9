"""TensorFlow's own operations where Keras composes slower ones: resize, batch norm, hard swish."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf


def resize_bilinear(
    images: tf.Tensor, *, size: Sequence[int | tf.Tensor], align_corners: bool
) -> tf.Tensor:
    """Resizes images of shape (batch, height, width, channels) bilinearly, without antialiasing.

    ``size`` is (height, width), Python ints or scalar tensors. ``align_corners`` aligns the centres
    of the corner pixels, as in TF-Slim's networks; otherwise the image borders are aligned
    (half-pixel centres). The result is float32.
    """
    # This op supports both grids, keeps sizes dynamic in every export, and converts to TFLite's
    # builtin RESIZE_BILINEAR; tf.image.resize supports only the half-pixel grid.
    return tf.raw_ops.ResizeBilinear(
        images=images,
        size=tf.stack([tf.cast(length, tf.int32) for length in size]),
        align_corners=align_corners,
        half_pixel_centers=not align_corners,
    )


def fused_batch_norm(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises by the statistics of the batch.

    Returns:
        The normalised tensor, in the type of ``x``, and the float32 mean and (biased) variance of
        the batch, of shape (channels,).
    """
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    # The operation divides by n - 1, Keras by n.
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), "float32")
    return y, mean, variance * (count - 1) / count


@tf.custom_gradient
def hard_swish(x: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    """Returns x * relu6(x + 3) / 6, with a gradient that needs only ``x``.

    A composition of standard operations would store three tensors for the gradient instead of one.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        slope = tf.where(x < -3, tf.zeros_like(x), tf.where(x > 3, tf.ones_like(x), x / 3 + 0.5))
        return upstream * slope

    return x * (tf.nn.relu6(x + 3) / 6), gradient
