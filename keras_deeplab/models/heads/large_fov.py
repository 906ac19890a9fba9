"""The heads of DeepLab v1 and v2: LargeFOV, and ASPP as a sum of class scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_deeplab.layers import AtrousConv2D, ScaledUniform


def large_fov(
    x: Any,
    classes: int,
    *,
    rate: int,
    channels: int | None = 1024,
    dropout: float = 0.5,
    index: int = 0,
) -> Any:
    """VGG's fully connected layers as convolutions; the first one is atrous.

    Layers are called ``fc6_{index}``, ``fc7_{index}`` and ``classifier_{index}``.

    ``rate``, in feature pixels, is that of fc6, a 3x3 convolution. ``channels`` are those of fc6
    and fc7; with None there are no such layers, and the 3x3 convolution is the classifier, as on
    ResNet. ``index`` is the number of this branch.

    Returns:
        Scores of shape (batch, height, width, ``classes``).

    Reference:
        Chen et al., arXiv:1606.00915, sections 3.1 and 4.1.
    """
    if channels is not None:
        for name, size, dilation in (("fc6", 3, rate), ("fc7", 1, 1)):
            x = AtrousConv2D(
                channels,
                size,
                dilation_rate=dilation,
                activation="relu",
                kernel_initializer=ScaledUniform(2.0, "fan_in"),
                name=f"{name}_{index}",
            )(x)
            x = keras.layers.Dropout(dropout, name=f"{name}_{index}_dropout")(x)
    direct = channels is None
    return AtrousConv2D(
        classes,
        3 if direct else 1,
        dilation_rate=rate if direct else 1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name=f"classifier_{index}",
    )(x)


def aspp_sum(
    x: Any,
    classes: int,
    *,
    atrous_rates: Sequence[int],
    channels: int | None = 1024,
    dropout: float = 0.5,
    name: str = "aspp_sum",
) -> Any:
    """One `large_fov` branch per rate; their class scores are summed by the layer ``name``.

    A single rate has no such layer.

    Returns:
        Scores of shape (batch, height, width, ``classes``).

    Reference:
        Chen et al., arXiv:1606.00915, section 3.2.
    """
    branches = [
        large_fov(x, classes, rate=rate, channels=channels, dropout=dropout, index=index)
        for index, rate in enumerate(atrous_rates)
    ]
    return keras.layers.Add(name=name)(branches) if len(branches) > 1 else branches[0]
