"""Inverted residual blocks (Sandler et al., arXiv:1801.04381) of the mobile backbones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import keras

from keras_deeplab.layers import ScaledUniform
from keras_deeplab.models.atrous import StrideAndRate
from keras_deeplab.models.blocks import LAYOUT, ConvOptions, Feature, conv_bn


def scaled_channels(channels: int, *, multiplier: float, divisor: int) -> int:
    """Scales a channel count and rounds it to a multiple of ``divisor``, at most 10 % down."""
    scaled = channels * multiplier
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor


class Block(NamedTuple):
    """One inverted residual block.

    Attributes:
        expanded: Channels inside the block.
        channels: Output channels.
        stride: Original stride, before strides are removed.
        kernel_size: Kernel size of the depthwise convolution.
        activation: "relu", "relu6", "hard_swish" or None.
        squeezed: Channels of the squeeze-excite bottleneck; 0 for no squeeze-excite.
    """

    expanded: int
    channels: int
    stride: int
    kernel_size: int = 3
    activation: str = "relu6"
    squeezed: int = 0


def inverted_residuals(
    x: Feature,
    blocks: Sequence[Block],
    plan: Sequence[StrideAndRate],
    options: ConvOptions,
) -> dict[str, Feature]:
    """Builds inverted residual blocks with the strides and rates of a plan.

    Returns:
        The output of every block as "block_0", "block_1", ... and the last one as "output".
    """
    features = {}
    for index, (block, step) in enumerate(zip(blocks, plan, strict=True)):
        name = f"block_{index}"
        tensor = _inverted_residual(x.tensor, block, step, options, name=name)
        x = features[name] = Feature(tensor, x.stride * step.stride)
    return {**features, "output": x}


def _inverted_residual(
    x: Any, block: Block, step: StrideAndRate, options: ConvOptions, *, name: str
) -> Any:
    inputs, input_channels = x, x.shape[-1]
    conv = partial(conv_bn, activation=block.activation, options=options)
    if block.expanded != input_channels:
        x = conv(x, block.expanded, 1, name=f"{name}_expand")
    x = conv(x, None, block.kernel_size, **step._asdict(), name=f"{name}_depthwise")
    if block.squeezed:
        x = _squeeze_excite(x, block.squeezed, name=name)
    x = conv(x, block.channels, 1, activation=None, name=f"{name}_project")
    if block.stride == 1 and input_channels == block.channels:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _squeeze_excite(x: Any, squeezed: int, *, name: str) -> Any:
    scale = keras.layers.GlobalAveragePooling2D(LAYOUT, keepdims=True, name=f"{name}_pool")(x)
    for part, channels, activation in (
        ("squeeze", squeezed, "relu"),
        ("excite", x.shape[-1], "hard_sigmoid"),
    ):
        scale = keras.layers.Conv2D(
            channels,
            1,
            activation=activation,
            kernel_initializer=ScaledUniform(),
            data_format=LAYOUT,
            name=f"{name}_{part}",
        )(scale)
    return keras.layers.Multiply(name=f"{name}_scale")([x, scale])
