"""MobileNetV3 (Howard et al., arXiv:1905.02244) with atrous convolution."""

from __future__ import annotations

from functools import partial
from typing import Any

from keras_deeplab.models.atrous import StrideAndRate, output_stride_plan
from keras_deeplab.models.backbones.inverted_residual import (
    Block,
    inverted_residuals,
    scaled_channels,
)
from keras_deeplab.models.blocks import ConvOptions, Feature, conv_bn
from keras_deeplab.presets.backbone_row import MobileNetV3Row


def mobilenet_v3(
    row: MobileNetV3Row,
    image: Any,
    *,
    output_stride: int = 16,
    batch_norm: str = "trainable",
    padding: str = "symmetric",
) -> dict[str, Feature]:
    """Builds MobileNetV3 up to the 1x1 convolution before its pooling.

    Args:
        row: Blocks and depth multiplier.
        image: Normalised image tensor of shape (batch, height, width, 3).
        output_stride: 8, 16 or 32 input pixels per feature pixel.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        padding: Zeros around strided convolutions: "symmetric", or "tensorflow", which pads the top
            and left less at even sizes.

    Returns:
        The output of every block as "block_0", "block_1", ... and the last convolution's as
        "output".

    Example:

    >>> import keras
    >>> from keras_deeplab.presets.backbones import BACKBONES
    >>> features = mobilenet_v3(BACKBONES["mobilenet_v3_large"], keras.Input((96, 96, 3)))
    >>> features["output"].tensor.shape, features["output"].stride
    ((None, 6, 6, 960), 16)
    """
    width = partial(scaled_channels, multiplier=row.depth_multiplier, divisor=row.channel_divisor)
    blocks = [
        Block(
            expanded=width(block.expanded),
            channels=width(block.channels),
            stride=block.stride,
            kernel_size=block.kernel_size,
            activation=block.activation,
            squeezed=width(block.expanded // 4) if block.squeeze_excite else 0,
        )
        for block in row.blocks
    ]
    stem, *plan = output_stride_plan([2] + [block.stride for block in blocks], output_stride)
    if row.dilates_first:
        plan = [
            StrideAndRate(step.stride, step.rate * block.stride // step.stride)
            for step, block in zip(plan, blocks, strict=True)
        ]
    options = ConvOptions(batch_norm, row.epsilon, padding=padding)
    conv = partial(conv_bn, activation="hard_swish", options=options)
    x = conv(image, width(row.stem_channels), 3, stride=stem.stride, name="stem")
    features = inverted_residuals(Feature(x, stem.stride, x.shape[-1]), blocks, plan, options)
    last, channels = features["output"], width(6 * row.blocks[-1].channels)
    x = conv(last.tensor, channels, 1, name="last")
    return {**features, "output": Feature(x, last.stride, channels)}
