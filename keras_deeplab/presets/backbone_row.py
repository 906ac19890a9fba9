"""Presets of backbones; each family adds the fields of its builder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InvertedResidualStage:
    """A sequence of inverted residual blocks; only the first one has a stride.

    Attributes:
        expansion: Channels inside a block, as a multiple of its input channels.
        channels: Output channels at depth multiplier 1.
        blocks: Number of blocks.
        stride: Stride of the first block.
        kernel_size: Kernel size of the depthwise convolutions.
    """

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel_size: int = 3


@dataclass(frozen=True)
class MobileNetV3Block:
    """One block of a MobileNetV3.

    Attributes:
        kernel_size: Kernel size of the depthwise convolution.
        expanded: Channels inside the block, at depth multiplier 1.
        channels: Output channels, at depth multiplier 1.
        squeeze_excite: Whether the block has a squeeze-excite.
        activation: "relu" or "hard_swish".
        stride: Stride of the depthwise convolution.
    """

    kernel_size: int
    expanded: int
    channels: int
    squeeze_excite: bool
    activation: str
    stride: int


@dataclass(frozen=True)
class XceptionBlock:
    """A sequence of identical units of three separable convolutions.

    Attributes:
        name: Prefix of the layer names.
        channels: Output channels of the three convolutions.
        stride: Stride of the last convolution.
        units: Number of units.
        skip: "conv" (a strided 1x1 convolution), "sum" or "none".
        activation: "before" each separable convolution, or "after" each of its two convolutions.
    """

    name: str
    channels: tuple[int, ...]
    stride: int
    units: int = 1
    skip: str = "conv"
    activation: str = "before"


@dataclass(frozen=True, kw_only=True)
class BackboneRow:
    """One backbone; each family adds the fields of its builder.

    Attributes:
        name: Identifier, as in `DeepLab(backbone=...)`.
        family: The builder in `keras_deeplab.models.backbones`.
        epsilon: Epsilon of batch norm.
        source: Source of the numbers.
    """

    name: str
    family: str
    epsilon: float
    source: str


@dataclass(frozen=True, kw_only=True)
class MobileNetRow(BackboneRow):
    """What the mobile networks have in common.

    Attributes:
        stem_channels: Output channels of the stride-2 stem at depth multiplier 1.
        depth_multiplier: Factor on all channel counts.
        channel_divisor: Channel counts are rounded to a multiple of it.
    """

    epsilon: float = 1e-3
    stem_channels: int = 32
    depth_multiplier: float = 1.0
    channel_divisor: int = 8


@dataclass(frozen=True, kw_only=True)
class MobileNetV2Row(MobileNetRow):
    """A MobileNetV2, or an EfficientNet-Lite, whose stem is the same.

    Attributes:
        stages: Stages after the stem, in order.
    """

    family: str = "mobilenet_v2"
    stages: tuple[InvertedResidualStage, ...]


@dataclass(frozen=True, kw_only=True)
class MobileNetV3Row(MobileNetRow):
    """A MobileNetV3.

    Its squeeze-excites average over maps whose resolution depends on the output stride, so features
    at different output strides agree only approximately.

    Attributes:
        blocks: Blocks after the stem, in order.
        dilates_first: Whether the block whose stride was removed already dilates, as in the
            training of its published weights. Such a network is not consistent across output
            strides.
    """

    family: str = "mobilenet_v3"
    blocks: tuple[MobileNetV3Block, ...]
    stem_channels: int = 16
    dilates_first: bool = False


@dataclass(frozen=True, kw_only=True)
class XceptionRow(BackboneRow):
    """An aligned Xception.

    Attributes:
        blocks: Blocks after the stem, in order.
        stem_channels: Output channels of the stem's two convolutions; the first has stride 2.
    """

    family: str = "xception"
    epsilon: float = 1e-3
    blocks: tuple[XceptionBlock, ...]
    stem_channels: tuple[int, int] = (32, 64)


@dataclass(frozen=True, kw_only=True)
class VGGRow(BackboneRow):
    """A VGG without its fully connected layers; it has no batch norm.

    Attributes:
        stages: (channels, convolutions) between two pools.
    """

    family: str = "vgg"
    epsilon: float = 0.0
    stages: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class ResNetRow(BackboneRow):
    """A ResNet of bottleneck blocks.

    Attributes:
        blocks: Blocks per stage.
        channels: Channels inside the blocks of each stage; the output has four times as many.
        stem_channels: One number: a 7x7 convolution with stride 2. Three: 3x3 convolutions, the
            first with stride 2.
        stride_on_1x1: Whether the first 1x1 convolution of a block has the stride, instead of the
            3x3 convolution. If such a stride is removed, the 3x3 convolution of the block dilates
            too: DeepLab v2's released network has rate 2 in all of conv4_x and 4 in all of conv5_x.
        ceil_pool: Whether the pool of the stem rounds its output size up, as in Caffe.
        conv_bias: Whether convolutions have a bias before batch norm.
    """

    family: str = "resnet"
    epsilon: float = 1e-5
    blocks: tuple[int, ...]
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem_channels: tuple[int, ...] = (64,)
    stride_on_1x1: bool = False
    ceil_pool: bool = False
    conv_bias: bool = False
