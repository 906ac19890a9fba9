"""Backbones as published: how their stages are laid out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InvertedResidualStage:
    """A run of inverted residual blocks; only the first one strides.

    Attributes:
        expansion: Channels inside a block, as a multiple of its input channels.
        channels: Output channels at depth multiplier 1.
        blocks: Number of blocks.
        stride: Stride of the first block.
    """

    expansion: int
    channels: int
    blocks: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class BackboneRow:
    """One backbone; each family adds what its builder reads.

    Attributes:
        name: Identifier, as in `DeepLab(backbone=...)`.
        family: The builder in `keras_deeplab.backbones`.
        epsilon: Batch norm's.
        source: Where the numbers come from.
    """

    name: str
    family: str
    epsilon: float
    source: str


@dataclass(frozen=True, kw_only=True)
class MobileNetV2Row(BackboneRow):
    """A MobileNetV2.

    Attributes:
        stages: Stages after the stem, in order.
        stem_channels: Output channels of the stride-2 stem at depth multiplier 1.
        depth_multiplier: Factor on all channel counts.
        channel_divisor: Channel counts are rounded to a multiple of it.
    """

    family: str = "mobilenet_v2"
    epsilon: float = 1e-3
    stages: tuple[InvertedResidualStage, ...]
    stem_channels: int = 32
    depth_multiplier: float = 1.0
    channel_divisor: int = 8


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
        channels: Channels inside the blocks of each stage; they put out four times as many.
        stem_channels: One: a 7x7 convolution of stride 2. Three: 3x3 each, the first of stride 2.
        stride_on_1x1: Whether a block strides on its first 1x1 convolution, not on its 3x3 one.
            Where such a stride is removed, the block's own 3x3 convolution dilates too: that is
            why DeepLab v2's released network has rate 2 in all of conv4_x and 4 in all of conv5_x.
        ceil_pool: Whether the stem's pool has a window more on even sizes, as in Caffe.
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


# He et al., arXiv:1512.03385, table 1.
_RESNET_50, _RESNET_101 = (3, 4, 6, 3), (3, 4, 23, 3)

# Sandler et al., arXiv:1801.04381, table 2.
_MOBILENET_V2_STAGES = (
    InvertedResidualStage(expansion=1, channels=16, blocks=1, stride=1),
    InvertedResidualStage(expansion=6, channels=24, blocks=2, stride=2),
    InvertedResidualStage(expansion=6, channels=32, blocks=3, stride=2),
    InvertedResidualStage(expansion=6, channels=64, blocks=4, stride=2),
    InvertedResidualStage(expansion=6, channels=96, blocks=3, stride=1),
    InvertedResidualStage(expansion=6, channels=160, blocks=3, stride=2),
    InvertedResidualStage(expansion=6, channels=320, blocks=1, stride=1),
)

BACKBONES: dict[str, BackboneRow] = {
    row.name: row
    for row in (
        MobileNetV2Row(
            name="mobilenet_v2",
            stages=_MOBILENET_V2_STAGES,
            source="arXiv:1801.04381",
        ),
        # TensorFlow's DeepLab does not round channels to multiples of 8 below multiplier 1, as
        # the ImageNet classifiers of the same name do: its stage of 24 has 12 channels, not 16.
        MobileNetV2Row(
            name="mobilenet_v2_050",
            stages=_MOBILENET_V2_STAGES,
            depth_multiplier=0.5,
            channel_divisor=1,
            source="arXiv:1801.04381; tensorflow/models research/deeplab",
        ),
        VGGRow(
            name="vgg16",
            stages=((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
            source="arXiv:1409.1556, table 1, D",
        ),
        ResNetRow(name="resnet50", blocks=_RESNET_50, source="arXiv:1512.03385; torchvision"),
        ResNetRow(name="resnet101", blocks=_RESNET_101, source="arXiv:1512.03385; torchvision"),
        ResNetRow(
            name="resnet101_caffe",
            blocks=_RESNET_101,
            stride_on_1x1=True,
            ceil_pool=True,
            source="arXiv:1512.03385; the prototxt of DeepLab v2",
        ),
        ResNetRow(
            name="resnet50_v1c",
            blocks=_RESNET_50,
            stem_channels=(32, 32, 64),
            source="arXiv:1812.01187, figure 2; mmsegmentation",
        ),
        ResNetRow(
            name="resnet101_v1c",
            blocks=_RESNET_101,
            stem_channels=(32, 32, 64),
            source="arXiv:1812.01187, figure 2; mmsegmentation",
        ),
        ResNetRow(
            name="resnet50_keras",
            blocks=_RESNET_50,
            epsilon=1.001e-5,
            stride_on_1x1=True,
            conv_bias=True,
            source="arXiv:1512.03385; keras.applications",
        ),
        ResNetRow(
            name="resnet101_keras",
            blocks=_RESNET_101,
            epsilon=1.001e-5,
            stride_on_1x1=True,
            conv_bias=True,
            source="arXiv:1512.03385; keras.applications",
        ),
    )
}
