"""Bilinear resizing to the size of another tensor or by a factor, on a given grid."""

from __future__ import annotations

from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_deeplab._validation import check_choice


def interpolation_matrix(length: int, new_length: int, *, align_corners: bool) -> np.ndarray:
    """Returns the matrix of shape (new_length, length) that resizes one axis bilinearly."""
    target = np.arange(new_length, dtype="float64")
    if align_corners:
        source = target * ((length - 1) / (new_length - 1) if new_length > 1 else 0.0)
    else:
        source = (target + 0.5) * length / new_length - 0.5
    source = np.clip(source, 0, length - 1)
    distance = np.abs(source[:, None] - np.arange(length)[None, :])
    return np.maximum(0.0, 1.0 - distance).astype("float32")


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class ResizeBilinear(keras.layers.Layer):
    """Resizes a tensor bilinearly to the height and width of another one.

    Unlike `keras.layers.Resizing`, it takes the target size from a tensor, so the size can be
    dynamic, and it supports the align-corners grid that TF-Slim's networks were trained with.

    Args:
        align_corners: True aligns the centres of the corner pixels; False aligns the image borders
            (half-pixel centres).
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Two tensors: (batch, height, width, channels), and (batch, new_height, new_width, any).

    Output shape:
        (batch, new_height, new_width, channels)

    Example:

    >>> features, image = keras.ops.ones((1, 3, 3, 8)), keras.ops.ones((1, 48, 48, 3))
    >>> tuple(ResizeBilinear(align_corners=True)([features, image]).shape)
    (1, 48, 48, 8)
    """

    def __init__(self, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def call(self, inputs: Any) -> Any:
        x, like = inputs
        size = ops.shape(like)[1:3]
        return ops.cast(_resize(x, size, align_corners=self.align_corners), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        x, like = input_shape
        return (x[0], like[1], like[2], x[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "align_corners": self.align_corners}


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class RescaleBilinear(keras.layers.Layer):
    """Resizes a tensor bilinearly by a factor.

    Args:
        scale: Factor on height and width; the new size is rounded down. With ``align_corners``, the
            factor applies to the distance of the corners: with 0.5, 321 becomes 161, not 160.
        align_corners: True aligns the centres of the corner pixels; False aligns the image borders
            (half-pixel centres).
        grid: Distance of the sampled pixels, for half-pixel centres: "size" divides the image by
            the rounded new size, as PyTorch did before 1.6; "factor" takes exactly 1 / ``scale``,
            as it has done since. They differ where ``scale`` times a size is not an integer.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If ``grid`` is unknown.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, new_height, new_width, channels)

    Example:

    >>> tuple(RescaleBilinear(0.5)(keras.ops.ones((1, 9, 8, 3))).shape)
    (1, 4, 4, 3)
    """

    def __init__(
        self, scale: float, align_corners: bool = False, grid: str = "size", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_choice("grid", grid, ("size", "factor"))
        self.scale = scale
        self.align_corners = align_corners
        self.grid = grid

    def call(self, inputs: Any) -> Any:
        if self.grid == "factor" and not self.align_corners:
            x = ops.cast(inputs, "float32")
            height, width = ops.shape(x)[1:3]
            x = ops.einsum("yh,bhwc->bywc", self._interpolation(height), x)
            x = ops.einsum("xw,bywc->byxc", self._interpolation(width), x)
            return ops.cast(x, self.compute_dtype)
        size = [self._scaled(side) for side in ops.shape(inputs)[1:3]]
        return ops.cast(_resize(inputs, size, align_corners=self.align_corners), self.compute_dtype)

    def _interpolation(self, side: Any) -> Any:
        """Returns the matrix (new side, side) that samples one axis at distances 1 / scale."""
        target = ops.cast(ops.arange(self._scaled(side)), "float32")
        last = ops.cast(side - 1, "float32")
        source = ops.clip((target + 0.5) * (1.0 / self.scale) - 0.5, 0.0, last)
        pixels = ops.cast(ops.arange(side), "float32")
        return ops.maximum(0.0, 1.0 - ops.abs(source[:, None] - pixels[None, :]))

    def _scaled(self, side: Any) -> Any:
        corner = int(self.align_corners)
        if isinstance(side, int):
            return max(1, int((side - corner) * self.scale) + corner)
        scaled = ops.cast(ops.cast(side - corner, "float32") * self.scale, "int32")
        return ops.maximum(1, scaled + corner)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        return (batch, *(side and self._scaled(side) for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "align_corners": self.align_corners,
            "grid": self.grid,
        }


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class ResizeToMultiple(keras.layers.Layer):
    """Resizes images bilinearly to the next larger sides that are multiples of a number.

    Args:
        multiple: What the new height and width are multiples of, pixels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, new_height, new_width, channels)

    Example:

    >>> tuple(ResizeToMultiple(8)(keras.ops.ones((1, 9, 8, 3))).shape)
    (1, 16, 8, 3)
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs: Any) -> Any:
        size = [self._rounded(side) for side in ops.shape(inputs)[1:3]]
        return ops.cast(_resize(inputs, size, align_corners=False), self.compute_dtype)

    def _rounded(self, side: Any) -> Any:
        return (side + self.multiple - 1) // self.multiple * self.multiple

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, *sides, channels = input_shape
        return (batch, *(side and self._rounded(side) for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}


def _resize(x: Any, size: Any, *, align_corners: bool) -> Any:
    height, width = size
    if keras.backend.backend() == "tensorflow":
        from keras_deeplab.ops.native import resize_bilinear

        return resize_bilinear(x, size=(height, width), align_corners=align_corners)
    rows = interpolation_matrix(x.shape[1], height, align_corners=align_corners)
    columns = interpolation_matrix(x.shape[2], width, align_corners=align_corners)
    x = ops.einsum("yh,bhwc->bywc", rows, ops.cast(x, "float32"))
    return ops.einsum("xw,bywc->byxc", columns, x)
