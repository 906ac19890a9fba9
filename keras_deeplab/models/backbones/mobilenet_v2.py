"""MobileNetV2 (Sandler et al., arXiv:1801.04381) with atrous convolution."""

from __future__ import annotations

from functools import partial
from typing import Any

from keras_deeplab.models.atrous import output_stride_plan
from keras_deeplab.models.backbones.inverted_residual import (
    Block,
    inverted_residuals,
    scaled_channels,
)
from keras_deeplab.models.blocks import ConvOptions, Feature, conv_bn
from keras_deeplab.presets.backbone_row import MobileNetV2Row


def mobilenet_v2(
    row: MobileNetV2Row,
    image: Any,
    *,
    output_stride: int = 16,
    batch_norm: str = "trainable",
    padding: str = "symmetric",
) -> dict[str, Feature]:
    """Builds MobileNetV2 without its classifier.

    EfficientNet-Lite (Tan and Le, arXiv:1905.11946) has the same structure with different stages:
    it is EfficientNet without squeeze-excite and with ReLU6 instead of swish, for 8-bit inference.

    Args:
        row: Stages, depth multiplier and rounding.
        image: Normalised image tensor of shape (batch, height, width, 3).
        output_stride: 8, 16 or 32 input pixels per feature pixel.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        padding: Zeros around strided convolutions: "symmetric", or "tensorflow", which pads the top
            and left less at even sizes.

    Returns:
        The output of every block as "block_0", "block_1", ... and the last one as "output".

    Example:

    >>> import keras
    >>> from keras_deeplab.presets.backbones import BACKBONES
    >>> features = mobilenet_v2(BACKBONES["mobilenet_v2"], keras.Input((96, 96, 3)))
    >>> features["output"].tensor.shape, features["output"].stride
    ((None, 6, 6, 320), 16)
    """
    width = partial(scaled_channels, multiplier=row.depth_multiplier, divisor=row.channel_divisor)
    blocks: list[Block] = []
    for stage in row.stages:
        for index in range(stage.blocks):
            channels = blocks[-1].channels if blocks else width(row.stem_channels)
            blocks.append(
                Block(
                    expanded=stage.expansion * channels,
                    channels=width(stage.channels),
                    stride=stage.stride if index == 0 else 1,
                    kernel_size=stage.kernel_size,
                )
            )
    stem, *plan = output_stride_plan([2] + [block.stride for block in blocks], output_stride)
    options = ConvOptions(batch_norm, row.epsilon, padding=padding)
    conv = partial(conv_bn, activation="relu6", options=options)
    x = conv(image, width(row.stem_channels), 3, stride=stem.stride, name="stem")
    return inverted_residuals(Feature(x, stem.stride, x.shape[-1]), blocks, plan, options)
