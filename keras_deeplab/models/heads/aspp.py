"""Atrous spatial pyramid pooling of DeepLab v3."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from keras_deeplab.layers import ResizeBilinear
from keras_deeplab.models.blocks import LAYOUT, ConvOptions, conv_bn, separable_conv_bn


def scaled_rates(
    atrous_rates: Sequence[int], *, output_stride: int, counted_at: int = 16
) -> tuple[int, ...]:
    """Converts rates from the output stride ``counted_at`` to ``output_stride``.

    Rates are in feature pixels, so they double when the output stride halves. They are rounded down
    to at least 1: those of DeepLab v2, (6, 12, 18, 24) at output stride 8, are
    (1, 3, 4, 6) at 32.
    """
    return tuple(max(1, rate * counted_at // output_stride) for rate in atrous_rates)


def aspp(
    x: Any,
    *,
    atrous_rates: Sequence[int],
    channels: int = 256,
    align_corners: bool = False,
    image_pooling: bool = True,
    separable: bool = False,
    options: ConvOptions = ConvOptions(),
    dropout: float = 0.1,
    projection_size: int = 1,
    refine: bool = False,
    name: str = "aspp",
) -> Any:
    """Image-level features, a 1x1 branch and one 3x3 branch per rate, concatenated and projected.

    ``atrous_rates``, in feature pixels, are those of the 3x3 branches; there may be none. Every
    branch and the projection have ``channels``. The other options are fields of `DeepLabRow`.

    Returns:
        Tensor of shape (batch, height, width, ``channels``).

    Reference:
        Chen et al., arXiv:1706.05587, section 3.3.
    """
    conv = partial(conv_bn, options=options)
    branches = []
    if image_pooling:
        pooled = keras.layers.GlobalAveragePooling2D(LAYOUT, keepdims=True, name=f"{name}_pool")(x)
        pooled = conv(pooled, channels, 1, name=f"{name}_image_pooling")
        resize = ResizeBilinear(align_corners, name=f"{name}_image_pooling_resize")
        branches.append(resize([pooled, x]))
    branches.append(conv(x, channels, 1, name=f"{name}_0"))
    spatial = partial(separable_conv_bn if separable else conv_bn, options=options)
    for index, rate in enumerate(atrous_rates, start=1):
        branches.append(spatial(x, channels, 3, rate=rate, name=f"{name}_{index}"))
    x = keras.layers.Concatenate(name=f"{name}_concat")(branches)
    x = conv(x, channels, projection_size, name=f"{name}_projection")
    x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return spatial(x, channels, 3, name=f"{name}_refine") if refine else x
