"""Building blocks of every network: convolutions, image normalisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_deeplab._validation import check_choice
from keras_deeplab.layers import AtrousConv2D, BatchNormalization, HardSwish, ScaledUniform

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NORMALIZATIONS: dict[str, tuple[Any, Any]] = {
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / (255 * deviation) for deviation in _DEVIATION],
        [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
    ),
    "caffe": ([1.0, 1.0, 1.0], [-122.67892, -116.66877, -104.00699]),
}


class Feature(NamedTuple):
    """A feature tensor of a backbone, with its stride in input pixels and its channels."""

    tensor: Any
    stride: int
    channels: int


def conv_bn(
    x: Any,
    filters: int | None,
    kernel_size: int,
    *,
    stride: int = 1,
    rate: int = 1,
    activation: str | None = "relu",
    batch_norm: str = "trainable",
    epsilon: float = 1e-3,
    bias: bool = False,
    name: str,
) -> Any:
    """Convolution, batch norm, activation, as layers ``name``, ``{name}_bn`` and ``{name}_relu``.

    Args:
        x: Tensor of shape (batch, height, width, channels).
        filters: Output channels; None makes the convolution depthwise.
        kernel_size: Odd.
        stride: Step, in pixels of ``x``.
        rate: Atrous rate, in pixels of ``x``.
        activation: "relu", "relu6", "hard_swish" or None.
        batch_norm: "trainable"; "frozen" (always its stored statistics); or "folded" (none: the
            convolution carries a bias instead).
        epsilon: Batch norm's.
        bias: Whether the convolution has a bias before batch norm too.
        name: Layer name.

    Returns:
        Tensor of shape (batch, ceil(height / stride), ceil(width / stride), filters).
    """
    padding = "same"
    if stride > 1 and kernel_size > 1:
        # "same" pads an even size on one side only, which shifts features against those of the
        # atrous network.
        x = keras.layers.ZeroPadding2D((kernel_size - 1) * rate // 2, name=f"{name}_pad")(x)
        padding = "valid"
    common = dict(
        kernel_size=kernel_size,
        strides=stride,
        padding=padding,
        dilation_rate=rate,
        use_bias=bias or batch_norm == "folded",
        name=name,
    )
    if filters is None:
        x = keras.layers.DepthwiseConv2D(depthwise_initializer=ScaledUniform(), **common)(x)
    elif rate > 1 and stride == 1:
        x = AtrousConv2D(filters, kernel_initializer=ScaledUniform(), **common)(x)
    else:
        x = keras.layers.Conv2D(filters, kernel_initializer=ScaledUniform(), **common)(x)
    if batch_norm != "folded":
        # Keras' momentum of 0.99 takes hundreds of steps to forget where the statistics started:
        # a head trained on a few photos would be useless until then.
        x = BatchNormalization(
            momentum=0.9, epsilon=epsilon, trainable=batch_norm == "trainable", name=f"{name}_bn"
        )(x)
    if activation is None:
        return x
    if activation == "hard_swish":
        return HardSwish(name=f"{name}_hard_swish")(x)
    max_value = {"relu": None, "relu6": 6.0}[activation]
    return keras.layers.ReLU(max_value, name=f"{name}_relu")(x)


def max_pool(x: Any, *, stride: int, ceil: bool = False, name: str) -> Any:
    """3x3 maximum with a border of one pixel.

    Args:
        x: Tensor of shape (batch, height, width, channels), nowhere negative: the border is 0.
        stride: 1 or 2.
        ceil: Whether a last window that begins inside counts, as in Caffe; it makes a difference
            for stride 2 on even sizes.
        name: Layer name.

    Returns:
        Tensor of shape (batch, new_height, new_width, channels): with stride 2, half of the size,
        rounded up; with ``ceil``, half of the size rounded down, plus 1.
    """
    if stride == 1:
        return keras.layers.MaxPooling2D(3, 1, padding="same", name=name)(x)
    border = (1, 2) if ceil else (1, 1)
    x = keras.layers.ZeroPadding2D((border, border), name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, stride, padding="valid", name=name)(x)


def separable_conv_bn(
    x: Any,
    filters: int,
    kernel_size: int,
    *,
    stride: int = 1,
    rate: int = 1,
    inner_activation: str | None = "relu",
    activation: str | None = "relu",
    batch_norm: str = "trainable",
    epsilon: float = 1e-3,
    name: str,
) -> Any:
    """Depthwise, then 1x1 convolution, each with batch norm, as ``{name}_depthwise`` and
    ``{name}_pointwise``.

    Args:
        x: Tensor of shape (batch, height, width, channels).
        filters: Output channels.
        kernel_size: Of the depthwise convolution; odd.
        stride: Step of the depthwise convolution, in pixels of ``x``.
        rate: Its atrous rate, in pixels of ``x``.
        inner_activation: Activation between the two.
        activation: Activation at the end.
        batch_norm: As in `conv_bn`.
        epsilon: Batch norm's.
        name: Prefix of the layer names.

    Returns:
        Tensor of shape (batch, ceil(height / stride), ceil(width / stride), filters).

    Reference:
        Chen et al., arXiv:1802.02611, section 3.1.
    """  # noqa: D205
    common: dict[str, Any] = dict(batch_norm=batch_norm, epsilon=epsilon)
    x = conv_bn(
        x,
        None,
        kernel_size,
        stride=stride,
        rate=rate,
        activation=inner_activation,
        name=f"{name}_depthwise",
        **common,
    )
    return conv_bn(x, filters, 1, activation=activation, name=f"{name}_pointwise", **common)


def normalize_image(image: Any, mode: str) -> Any:
    """Turns RGB 0-255 into what a network was trained with, in float32.

    Args:
        image: Tensor of shape (batch, height, width, 3), RGB, 0 to 255.
        mode: "tf" scales to -1..1; "torch" standardises by ImageNet's mean and deviation;
            "caffe" subtracts ImageNet's mean. Channels stay RGB: converters of BGR networks turn
            their first kernel round instead.

    Returns:
        Tensor of the shape of ``image``.
    """
    check_choice("mode", mode, tuple(_NORMALIZATIONS))
    scale, offset = _NORMALIZATIONS[mode]
    # float32 under every policy: bfloat16 would round the 8-bit levels.
    return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="preprocessing")(
        image
    )


def normalization_mode(layer: keras.layers.Rescaling) -> str:
    """Returns the mode of the layer that `normalize_image` made.

    Raises:
        ValueError: If it is none of them.
    """
    for mode, values in _NORMALIZATIONS.items():
        pairs = zip((layer.scale, layer.offset), values, strict=True)
        if all(
            np.shape(one) == np.shape(other) and np.allclose(one, other) for one, other in pairs
        ):
            return mode
    raise ValueError(
        f"The preprocessing must be one of {', '.join(map(repr, _NORMALIZATIONS))}. Received: "
        f"scale={layer.scale}, offset={layer.offset}."
    )
