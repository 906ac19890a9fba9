"""Batch normalisation in TensorFlow's fused operation."""

from __future__ import annotations

import tensorflow as tf


def fused_batch_norm(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises by the statistics of the batch.

    Args:
        x: Tensor of shape (batch, height, width, channels), of any float type.
        gamma: float32 tensor of shape (channels,).
        beta: float32 tensor of shape (channels,).
        epsilon: Added to the variance.

    Returns:
        The normalised tensor, in the type of ``x``, and the float32 mean and (biased) variance of
        the batch, of shape (channels,).

    Example:

    >>> x = tf.constant([[[[1.0]], [[3.0]]]])
    >>> y, mean, variance = fused_batch_norm(x, tf.ones(1), tf.zeros(1), epsilon=0)
    >>> float(mean[0]), float(variance[0]), y.numpy().ravel().tolist()
    (2.0, 1.0, [-1.0, 1.0])
    """
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    # The operation divides by n - 1, Keras by n.
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), "float32")
    return y, mean, variance * (count - 1) / count
