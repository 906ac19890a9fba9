"""ResNet (He et al., arXiv:1512.03385) with bottleneck blocks and atrous convolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from keras_deeplab.models.atrous import output_stride_plan
from keras_deeplab.models.blocks import ConvOptions, Feature, conv_bn, max_pool
from keras_deeplab.presets.backbone_row import ResNetRow


def resnet(
    row: ResNetRow,
    image: Any,
    *,
    output_stride: int = 16,
    batch_norm: str = "trainable",
    multi_grid: Sequence[int] = (1, 1, 1),
    dilates_first: bool = False,
) -> dict[str, Feature]:
    """Builds a ResNet without its classifier.

    See `build_backbone` for the arguments.

    Returns:
        The output of every stage as "stage_1" to "stage_4", the last one also as "output".

    Raises:
        ValueError: If ``multi_grid`` does not have one rate per block of the last stage.

    Reference:
        Chen et al., arXiv:1706.05587, sections 3.1 and 3.2 (multi-grid).
    """
    units = (1,) * row.blocks[-1] if set(multi_grid) == {1} else tuple(multi_grid)
    if len(units) != row.blocks[-1]:
        raise ValueError(
            f"multi_grid must have one rate for each of the last stage's {row.blocks[-1]} blocks. "
            f"Received: multi_grid={multi_grid!r}."
        )
    conv = partial(conv_bn, options=ConvOptions(batch_norm, row.epsilon, row.conv_bias))
    x = image
    if len(row.stem_channels) == 1:
        x = conv(x, row.stem_channels[0], 7, stride=2, name="stem")
    else:
        for index, channels in enumerate(row.stem_channels, start=1):
            x = conv(x, channels, 3, stride=2 if index == 1 else 1, name=f"stem_{index}")
    x = max_pool(x, stride=2, ceil=row.ceil_pool, name="pool")
    places = [(stage, block) for stage, n in enumerate(row.blocks, start=1) for block in range(n)]
    strides = [2 if block == 0 and stage > 1 else 1 for stage, block in places]
    plan = output_stride_plan([2, 2, *strides], output_stride)[2:]
    features = {}
    reached = 4
    for (stage, block), wanted, (stride, rate) in zip(places, strides, plan, strict=True):
        channels = row.channels[stage - 1]
        if row.stride_on_1x1 or dilates_first:
            # With the stride on the 1x1, it was before this block's 3x3 convolution, which
            # therefore dilates too.
            rate *= wanted // stride
        x = _bottleneck(
            x,
            channels,
            strides=(stride, 1) if row.stride_on_1x1 else (1, stride),
            rate=rate * (units[block] if stage == len(row.blocks) else 1),
            project=block == 0,
            conv=conv,
            name=f"stage_{stage}_block_{block}",
        )
        reached *= stride
        features[f"stage_{stage}"] = features["output"] = Feature(x, reached)
    return features


def _bottleneck(
    x: Any,
    channels: int,
    *,
    strides: tuple[int, int],
    rate: int,
    project: bool,
    conv: Any,
    name: str,
) -> Any:
    first, second = strides
    shortcut = x
    if project:
        shortcut = conv(
            x, 4 * channels, 1, stride=max(strides), activation=None, name=f"{name}_shortcut"
        )
    x = conv(x, channels, 1, stride=first, name=f"{name}_conv_1")
    x = conv(x, channels, 3, stride=second, rate=rate, name=f"{name}_conv_2")
    x = conv(x, 4 * channels, 1, activation=None, name=f"{name}_conv_3")
    x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
