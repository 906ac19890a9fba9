"""The decoder of DeepLab v3+."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras

from keras_deeplab.layers import ResizeBilinear
from keras_deeplab.models.blocks import ConvOptions, conv_bn, separable_conv_bn


def decoder(
    x: Any,
    low_level: Any,
    *,
    low_level_channels: int = 48,
    channels: int = 256,
    convolutions: int = 2,
    separable: bool = False,
    align_corners: bool = False,
    options: ConvOptions = ConvOptions(epsilon=1e-5),
    name: str = "decoder",
) -> Any:
    """Upsamples ASPP features, joins low-level features and applies 3x3 convolutions.

    ``low_level`` are features with a smaller stride, projected to ``low_level_channels``.

    Returns:
        Tensor with the height and width of ``low_level`` and ``channels`` channels.

    Reference:
        Chen et al., arXiv:1802.02611, sections 3.2 and 4.1.
    """
    low_level = conv_bn(low_level, low_level_channels, 1, options=options, name=f"{name}_low_level")
    x = ResizeBilinear(align_corners, name=f"{name}_upsampling")([x, low_level])
    x = keras.layers.Concatenate(name=f"{name}_concat")([x, low_level])
    conv = partial(separable_conv_bn if separable else conv_bn, options=options)
    for index in range(convolutions):
        x = conv(x, channels, 3, name=f"{name}_{index}")
    return x
