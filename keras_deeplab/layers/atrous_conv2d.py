"""Atrous convolution with TensorFlow's native kernel."""

from __future__ import annotations

from typing import Any, final

import keras


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class AtrousConv2D(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` with stride 1 that dilates without space-to-batch.

    On other backends than TensorFlow, and at rate 1, it behaves like `keras.layers.Conv2D`.

    Args:
        filters: Output channels.
        kernel_size: Odd kernel size.
        **kwargs: Arguments of `keras.layers.Conv2D`, except ``padding``, which is "same",
            ``data_format``, which is "channels_last", and ``strides``.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, height, width, filters)

    Example:

    >>> AtrousConv2D(4, 3, dilation_rate=12)(keras.ops.ones((1, 33, 33, 8))).shape
    TensorShape([1, 33, 33, 4])
    """

    def __init__(self, filters: int, kernel_size: Any, **kwargs: Any) -> None:
        fixed = {"padding": "same", "data_format": "channels_last"}
        super().__init__(filters, kernel_size, **kwargs | fixed)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        rate = tuple(self.dilation_rate)
        if keras.backend.backend() != "tensorflow" or rate == (1, 1):
            return super().convolution_op(inputs, kernel)
        from keras_deeplab.ops.convolution import atrous_conv2d

        return atrous_conv2d(inputs, kernel, rate=rate)
