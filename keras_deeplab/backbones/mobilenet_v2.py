"""MobileNetV2 (Sandler et al., arXiv:1801.04381) with atrous convolution."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras

from keras_deeplab.blocks import Feature, conv_bn, output_stride_plan
from keras_deeplab.tables.backbones import MobileNetV2Row


def scaled_channels(channels: int, *, multiplier: float, divisor: int) -> int:
    """Scales a channel count and rounds it to a multiple of ``divisor``, by at most 10 % down.

    Example:

    >>> scaled_channels(24, multiplier=0.5, divisor=8)
    16
    """
    scaled = channels * multiplier
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor


def mobilenet_v2(
    row: MobileNetV2Row, image: Any, *, output_stride: int = 16, batch_norm: str = "trainable"
) -> dict[str, Feature]:
    """Builds MobileNetV2 without its classifier.

    Args:
        row: Stages, depth multiplier and rounding.
        image: Normalised image tensor of shape (batch, height, width, 3).
        output_stride: 8, 16 or 32 input pixels per feature pixel.
        batch_norm: As in `keras_deeplab.blocks.conv_bn`.

    Returns:
        The output of every block as "block_0", "block_1", ... and the last one as "output".

    Example:

    >>> from keras_deeplab.tables.backbones import BACKBONES
    >>> features = mobilenet_v2(BACKBONES["mobilenet_v2"], keras.Input((96, 96, 3)))
    >>> features["output"].tensor.shape, features["output"].stride
    ((None, 6, 6, 320), 16)
    """
    width = partial(scaled_channels, multiplier=row.depth_multiplier, divisor=row.channel_divisor)
    blocks = [
        (stage.expansion, width(stage.channels), stage.stride if index == 0 else 1)
        for stage in row.stages
        for index in range(stage.blocks)
    ]
    stem, *plan = output_stride_plan([2] + [stride for *_, stride in blocks], output_stride)
    x = conv_bn(
        image,
        width(row.stem_channels),
        3,
        stride=stem.stride,
        activation="relu6",
        batch_norm=batch_norm,
        epsilon=row.epsilon,
        name="stem",
    )
    features = {}
    reached = stem.stride
    for index, ((expansion, channels, _), (stride, rate)) in enumerate(
        zip(blocks, plan, strict=True)
    ):
        x = _inverted_residual(
            x,
            channels,
            expansion=expansion,
            stride=stride,
            rate=rate,
            batch_norm=batch_norm,
            epsilon=row.epsilon,
            name=f"block_{index}",
        )
        reached *= stride
        features[f"block_{index}"] = Feature(x, reached, channels)
    features["output"] = features[f"block_{len(blocks) - 1}"]
    return features


def _inverted_residual(
    x: Any,
    channels: int,
    *,
    expansion: int,
    stride: int,
    rate: int,
    batch_norm: str,
    epsilon: float,
    name: str,
) -> Any:
    inputs, input_channels = x, x.shape[-1]
    conv = partial(conv_bn, activation="relu6", batch_norm=batch_norm, epsilon=epsilon)
    if expansion > 1:
        x = conv(x, expansion * input_channels, 1, name=f"{name}_expand")
    x = conv(x, None, 3, stride=stride, rate=rate, name=f"{name}_depthwise")
    x = conv(x, channels, 1, activation=None, name=f"{name}_project")
    if stride == 1 and input_channels == channels:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x
