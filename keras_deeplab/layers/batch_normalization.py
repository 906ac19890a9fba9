"""Batch normalisation that uses TensorFlow's fused operation in training."""

from __future__ import annotations

from typing import Any, final

import keras


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class BatchNormalization(keras.layers.BatchNormalization):
    """A `keras.layers.BatchNormalization` with the same results and weights that trains faster.

    Keras computes moments and normalisation in a dozen elementwise operations and stores
    intermediate results of each for the backward pass. TensorFlow's fused operation passes over the
    data twice and stores only the input. On other backends, with a mask, in inference and for
    inputs that are not images, the layer uses Keras's implementation. It takes the same arguments.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        The same.

    Example:

    >>> BatchNormalization()(keras.ops.ones((2, 3, 3, 4)), training=True).shape
    TensorShape([2, 3, 3, 4])

    Reference:
        Ioffe and Szegedy, arXiv:1502.03167.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        fused = (
            training
            and self.trainable
            and mask is None
            and keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.scale
            and self.center
            and not self.synchronized
            and not getattr(self, "renorm", False)
        )
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        from keras_deeplab.ops.native import fused_batch_norm

        y, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, epsilon=self.epsilon)
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1 - kept))
        return y
