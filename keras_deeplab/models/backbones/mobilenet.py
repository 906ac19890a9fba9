"""MobileNetV2, EfficientNet-Lite and MobileNetV3 with atrous convolution.

Reference: Sandler et al., arXiv:1801.04381; Tan and Le, arXiv:1905.11946; Howard et al.,
arXiv:1905.02244.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import keras

from keras_deeplab.layers import ScaledUniform
from keras_deeplab.models.atrous import StrideAndRate, output_stride_plan
from keras_deeplab.models.blocks import LAYOUT, ConvOptions, Feature, conv_bn
from keras_deeplab.presets.backbone_row import MobileNetV2Row, MobileNetV3Row


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


def mobilenet(
    row: MobileNetV2Row | MobileNetV3Row,
    image: Any,
    *,
    output_stride: int = 16,
    batch_norm: str = "trainable",
    padding: str = "symmetric",
) -> dict[str, Feature]:
    """Builds a MobileNet without its classifier; V3 up to the 1x1 convolution before its pooling.

    EfficientNet-Lite is a V2 with other stages: EfficientNet without squeeze-excite and with ReLU6
    instead of swish, for 8-bit inference. See `build_backbone` for the arguments.

    Returns:
        The output of every block as "block_0", "block_1", ... and the last one as "output".
    """
    width = partial(scaled_channels, multiplier=row.depth_multiplier, divisor=row.channel_divisor)
    if isinstance(row, MobileNetV3Row):
        blocks, activation = _blocks_v3(row, width), "hard_swish"
    else:
        blocks, activation = _blocks_v2(row, width), "relu6"
    stem, *plan = output_stride_plan([2] + [block.stride for block in blocks], output_stride)
    if isinstance(row, MobileNetV3Row) and row.dilates_first:
        plan = [
            StrideAndRate(step.stride, step.rate * block.stride // step.stride)
            for step, block in zip(plan, blocks, strict=True)
        ]
    options = ConvOptions(batch_norm, row.epsilon, padding=padding)
    conv = partial(conv_bn, activation=activation, options=options)
    x = conv(image, width(row.stem_channels), 3, stride=stem.stride, name="stem")
    features = inverted_residuals(Feature(x, stem.stride), blocks, plan, options)
    if isinstance(row, MobileNetV3Row):
        last = features["output"]
        x = conv(last.tensor, width(6 * row.blocks[-1].channels), 1, name="last")
        features["output"] = Feature(x, last.stride)
    return features


def _blocks_v2(row: MobileNetV2Row, width: Any) -> list[Block]:
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
    return blocks


def _blocks_v3(row: MobileNetV3Row, width: Any) -> list[Block]:
    return [
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


def scaled_channels(channels: int, *, multiplier: float, divisor: int) -> int:
    """Scales a channel count and rounds it to a multiple of ``divisor``, at most 10 % down."""
    scaled = channels * multiplier
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor


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
