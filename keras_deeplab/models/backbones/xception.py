"""The aligned Xception of DeepLab v3+ (Chen et al., arXiv:1802.02611, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from keras_deeplab.models.atrous import output_stride_plan
from keras_deeplab.models.blocks import ConvOptions, Feature, conv_bn, separable_conv_bn
from keras_deeplab.presets.backbone_row import XceptionBlock, XceptionRow


def xception(
    row: XceptionRow,
    image: Any,
    *,
    output_stride: int = 16,
    multi_grid: Sequence[int] = (1, 1, 1),
    batch_norm: str = "trainable",
) -> dict[str, Feature]:
    """Builds the aligned Xception without its classifier.

    Pooling is replaced by a stride in the last separable convolution of a block. Every depthwise
    convolution is followed by batch norm too.

    See `build_backbone` for the arguments.

    Returns:
        The output of every unit, such as "entry_flow_block2_unit_1"; of its second separable
        convolution, before the stride, with "_separable_conv2" after its name; and the last one
        as "output".
    """
    units = [
        (f"{block.name}_unit_{index}", block)
        for block in row.blocks
        for index in range(1, block.units + 1)
    ]
    stem, *plan = output_stride_plan([2] + [block.stride for _, block in units], output_stride)
    options = ConvOptions(batch_norm, row.epsilon)
    conv = partial(conv_bn, options=options)
    first, second = row.stem_channels
    x = conv(image, first, 3, stride=stem.stride, name="entry_flow_conv1_1")
    x = conv(x, second, 3, name="entry_flow_conv1_2")
    features: dict[str, Feature] = {}
    reached = stem.stride
    for (name, block), (stride, rate) in zip(units, plan, strict=True):
        grid = multi_grid if block is row.blocks[-1] else (1, 1, 1)
        rates = [rate * unit for unit in grid]
        inner, x = _unit(x, block, stride=stride, rates=rates, options=options, name=name)
        features[f"{name}_separable_conv2"] = Feature(inner, reached)
        reached *= stride
        features[name] = features["output"] = Feature(x, reached)
    return features


def _unit(
    x: Any,
    block: XceptionBlock,
    *,
    stride: int,
    rates: Sequence[int],
    options: ConvOptions,
    name: str,
) -> tuple[Any, Any]:
    inputs, outputs = x, []
    activation = "relu" if block.activation == "after" else None
    steps = zip(block.channels, (1, 1, stride), rates, strict=True)
    for index, (channels, step, rate) in enumerate(steps, start=1):
        convolution = f"{name}_separable_conv{index}"
        if block.activation == "before":
            x = keras.layers.ReLU(name=f"{convolution}_relu")(x)
        x = separable_conv_bn(
            x,
            channels,
            3,
            stride=step,
            rate=rate,
            inner_activation=activation,
            activation=activation,
            options=options,
            name=convolution,
        )
        outputs.append(x)
    if block.skip == "conv":
        conv = partial(conv_bn, activation=None, options=options)
        inputs = conv(inputs, block.channels[-1], 1, stride=stride, name=f"{name}_shortcut")
    if block.skip != "none":
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return outputs[1], x
