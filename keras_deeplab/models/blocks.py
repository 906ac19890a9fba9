"""Building blocks of every network: convolutions, image normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_deeplab._validation import check_choice
from keras_deeplab.layers import AtrousConv2D, BatchNormalization, HardSwish, ScaledUniform
from keras_deeplab.presets.normalizations import NORMALIZATIONS

# Given to every layer that would otherwise take the layout in the user's keras.json.
LAYOUT = "channels_last"


@dataclass(frozen=True)
class ConvOptions:
    """Options common to all convolutions of a backbone or head.

    Attributes:
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        epsilon: Epsilon of batch norm.
        bias: Whether convolutions have a bias in addition to batch norm.
        padding: Zeros around strided convolutions: "symmetric", the same on both sides, or
            "tensorflow", as TensorFlow's "SAME": at even sizes one fewer on the top and left.
        separable_norm: Whether batch norm and activation follow the depthwise part of separable
            convolutions too.
    """

    batch_norm: str = "trainable"
    epsilon: float = 1e-3
    bias: bool = False
    padding: str = "symmetric"
    separable_norm: bool = True


class Feature(NamedTuple):
    """A feature tensor of a backbone, and its stride in input pixels."""

    tensor: Any
    stride: int


def conv_bn(
    x: Any,
    filters: int | None,
    kernel_size: int,
    *,
    stride: int = 1,
    rate: int = 1,
    activation: str | None = "relu",
    norm: bool = True,
    options: ConvOptions = ConvOptions(),
    name: str,
) -> Any:
    """Convolution, batch norm, activation, as layers ``name``, ``{name}_bn`` and ``{name}_relu``.

    ``filters`` None makes the convolution depthwise; ``kernel_size`` is odd; ``stride`` and the
    atrous ``rate`` are in pixels of ``x``; ``activation`` is "relu", "relu6", "hard_swish" or None;
    ``norm`` is whether there is batch norm, or the bias that it was folded into.

    Returns:
        Tensor of shape (batch, ceil(height / stride), ceil(width / stride), filters).
    """
    padding = "same"
    if stride > 1 and kernel_size > 1 and options.padding == "symmetric":
        # At even sizes, "same" pads one side more than the other, which shifts the features
        # relative to those of the atrous network. At odd sizes both are equal.
        border = (kernel_size - 1) * rate // 2
        x = keras.layers.ZeroPadding2D(border, data_format=LAYOUT, name=f"{name}_pad")(x)
        padding = "valid"
    common = dict(
        kernel_size=kernel_size,
        strides=stride,
        padding=padding,
        dilation_rate=rate,
        use_bias=options.bias or (norm and options.batch_norm == "folded"),
        data_format=LAYOUT,
        name=name,
    )
    if filters is None:
        x = keras.layers.DepthwiseConv2D(depthwise_initializer=ScaledUniform(), **common)(x)
    elif rate > 1 and stride == 1:
        x = AtrousConv2D(filters, kernel_initializer=ScaledUniform(), **common)(x)
    else:
        x = keras.layers.Conv2D(filters, kernel_initializer=ScaledUniform(), **common)(x)
    if norm and options.batch_norm != "folded":
        # With Keras's momentum of 0.99, the statistics depend on their initial values for hundreds
        # of steps, which makes a head trained on few photos useless.
        x = BatchNormalization(
            momentum=0.9,
            epsilon=options.epsilon,
            trainable=options.batch_norm == "trainable",
            name=f"{name}_bn",
        )(x)
    if activation is None:
        return x
    if activation == "hard_swish":
        return HardSwish(name=f"{name}_hard_swish")(x)
    max_value = {"relu": None, "relu6": 6.0}[activation]
    return keras.layers.ReLU(max_value, name=f"{name}_relu")(x)


def max_pool(x: Any, *, stride: int, ceil: bool = False, name: str) -> Any:
    """3x3 max pooling of a non-negative tensor, with one pixel of padding, by 0.

    With stride 2, the size is half, rounded up. ``ceil`` rounds the output size of Caffe's formula
    up, which adds a window on even sizes: half of the size rounded down, plus 1.
    """
    if stride == 1:
        return keras.layers.MaxPooling2D(3, 1, padding="same", data_format=LAYOUT, name=name)(x)
    border = (1, 2) if ceil else (1, 1)
    x = keras.layers.ZeroPadding2D((border, border), data_format=LAYOUT, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, stride, padding="valid", data_format=LAYOUT, name=name)(x)


def separable_conv_bn(
    x: Any,
    filters: int,
    kernel_size: int,
    *,
    stride: int = 1,
    rate: int = 1,
    inner_activation: str | None = "relu",
    activation: str | None = "relu",
    options: ConvOptions = ConvOptions(),
    name: str,
) -> Any:
    """Depthwise, then 1x1 convolution, each with batch norm, as ``{name}_depthwise`` and
    ``{name}_pointwise``.

    ``stride``, ``rate`` and ``inner_activation`` are those of the depthwise convolution; see
    `conv_bn`.

    Reference:
        Chen et al., arXiv:1802.02611, section 3.1.
    """  # noqa: D205
    conv = partial(conv_bn, options=options)
    x = conv(
        x,
        None,
        kernel_size,
        stride=stride,
        rate=rate,
        activation=inner_activation if options.separable_norm else None,
        norm=options.separable_norm,
        name=f"{name}_depthwise",
    )
    return conv(x, filters, 1, activation=activation, name=f"{name}_pointwise")


def normalize_image(image: Any, mode: str) -> Any:
    """Normalises RGB 0-255 as in the training of a network, in float32.

    Args:
        image: Tensor of shape (batch, height, width, channels), 0 to 255, in which the first three
            of at least three channels are RGB. Others are normalised with the mean of RGB's
            factors.
        mode: "tf" scales to -1..1; "torch" standardises with ImageNet's mean and standard
            deviation; "caffe" subtracts ImageNet's mean as DeepLab v2 did, "caffe_keras" as
            keras.applications does. The channel order stays RGB: converters of BGR networks
            reverse the channels of the first kernel instead.
    """
    check_choice("mode", mode, tuple(NORMALIZATIONS))
    row = NORMALIZATIONS[mode]
    # float32 with every dtype policy: bfloat16 would round the 8-bit levels.
    channels = image.shape[-1]
    # Keras turns a vector, but not this shape, where keras.json says "channels_first".
    scale = row.scale if isinstance(row.scale, float) else [[[*_per_channel(row.scale, channels)]]]
    return keras.layers.Rescaling(
        scale, offset=_per_channel(row.offset, channels), dtype="float32", name="preprocessing"
    )(image)


def _per_channel(rgb: Any, channels: int) -> Any:
    """Returns one factor, or one for each channel."""
    if isinstance(rgb, float) or channels == 3:
        return rgb
    mean = float(np.mean(rgb))
    return [mean] * channels if channels < 3 else [*rgb, *[mean] * (channels - 3)]


def normalization_mode(layer: keras.layers.Rescaling) -> str:
    """Returns the mode of a layer created by `normalize_image`; `ValueError` without one."""
    channels = np.size(layer.scale)
    for mode, row in NORMALIZATIONS.items():
        pairs = (
            (layer.scale, _per_channel(row.scale, channels)),
            (layer.offset, _per_channel(row.offset, channels)),
        )
        if all(np.size(a) == np.size(b) and np.allclose(a, b) for a, b in pairs):
            return mode
    raise ValueError(
        f"The preprocessing must be one of {', '.join(map(repr, NORMALIZATIONS))}. Received: "
        f"scale={layer.scale}, offset={layer.offset}."
    )


def kernel_for_channels(array: np.ndarray, shape: Sequence[int], channels: int) -> np.ndarray:
    """Returns an RGB network's first kernel for images of other channels; others as they are.

    ``array`` and ``shape`` are the weights of a layer and what its shape is to be.
    """
    if channels == 3 or array.ndim != 4 or tuple(shape) == array.shape:
        return array
    height, width, depth, filters = array.shape
    if depth != 3 or tuple(shape) != (height, width, channels, filters):
        return array
    if channels > 3:
        return np.pad(array, ((0, 0), (0, 0), (0, channels - 3), (0, 0)))
    return np.repeat(array.sum(axis=2, keepdims=True) / channels, channels, axis=2)
