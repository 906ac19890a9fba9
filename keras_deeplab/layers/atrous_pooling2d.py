"""Max and average pooling with an atrous rate, which Keras lacks."""

from __future__ import annotations

from functools import reduce
from typing import Any, final

import keras
from keras import ops

from keras_deeplab._validation import check_choice


class _AtrousPooling2D(keras.layers.Layer):
    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        dilation_rate: int | tuple[int, int] = 1,
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("padding", padding, ("valid", "same"))
        self.pool_size = _pair(pool_size)
        self.dilation_rate = _pair(dilation_rate)
        self.padding = padding

    def _pooled(self, x: Any, fill: float, join: Any) -> Any:
        """Joins the pixels of each window, first along columns, then along rows."""
        for axis, size, rate in zip((1, 2), self.pool_size, self.dilation_rate, strict=True):
            reach = rate * (size - 1)
            if self.padding == "same" and reach:
                widths = [[0, 0]] * 4
                widths[axis] = [reach // 2, reach - reach // 2]
                x = ops.pad(x, widths, constant_values=fill)
            length = ops.shape(x)[axis] - reach
            starts = range(0, reach + 1, rate)
            x = reduce(join, [_part(x, axis, start, start + length) for start in starts])
        return x

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        if self.padding == "valid":
            reaches = [r * (k - 1) for r, k in zip(self.dilation_rate, self.pool_size, strict=True)]
            sides = [side and side - reach for side, reach in zip(sides, reaches, strict=True)]
        return (batch, *sides, channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "dilation_rate": self.dilation_rate,
            "padding": self.padding,
        }


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class AtrousMaxPooling2D(_AtrousPooling2D):
    """Max pooling with stride 1 over pixels that are ``dilation_rate`` apart.

    Args:
        pool_size: Pixels of a window, one number or (height, width).
        dilation_rate: Distance of these pixels, one number or (height, width).
        padding: "valid", or "same", which leaves pixels outside the map out.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, new_height, new_width, channels)

    Example:

    >>> x = keras.ops.reshape(keras.ops.arange(5.0), (1, 1, 5, 1))
    >>> AtrousMaxPooling2D((1, 2), dilation_rate=2)(x)[0, 0, :, 0].numpy().tolist()
    [2.0, 3.0, 4.0]
    """

    def call(self, inputs: Any) -> Any:
        # Close to the smallest finite number: runtimes disagree about infinity in a pad.
        lowest = -3e38 if self.compute_dtype in ("float32", "bfloat16") else -6e4
        return self._pooled(inputs, lowest, ops.maximum)


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class AtrousAveragePooling2D(_AtrousPooling2D):
    """Average pooling with stride 1 over pixels that are ``dilation_rate`` apart.

    Args:
        pool_size: Pixels of a window, one number or (height, width).
        dilation_rate: Distance of these pixels, one number or (height, width).
        padding: "valid", or "same", which leaves pixels outside the map out of the average.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, new_height, new_width, channels)

    Example:

    >>> x = keras.ops.reshape(keras.ops.arange(5.0), (1, 1, 5, 1))
    >>> layer = AtrousAveragePooling2D((1, 3), dilation_rate=2, padding="same")
    >>> layer(x)[0, 0, :, 0].numpy().tolist()
    [1.0, 2.0, 2.0, 2.0, 3.0]
    """

    def call(self, inputs: Any) -> Any:
        total = self._pooled(inputs, 0.0, ops.add)
        if self.padding == "valid":
            return total / (self.pool_size[0] * self.pool_size[1])
        inside = ops.ones_like(inputs[:1, :, :, :1])
        return total / self._pooled(inside, 0.0, ops.add)


def _part(x: Any, axis: int, start: int, stop: Any) -> Any:
    return x[:, start:stop] if axis == 1 else x[:, :, start:stop]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
