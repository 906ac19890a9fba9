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
        kernel_size: Of the depthwise convolutions.
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
        kernel_size: Of the depthwise convolution.
        expanded: Channels inside, at depth multiplier 1.
        channels: Output channels, at depth multiplier 1.
        squeeze_excite: Whether it has a squeeze-excite.
        activation: "relu" or "hard_swish".
        stride: Of the depthwise convolution.
    """

    kernel_size: int
    expanded: int
    channels: int
    squeeze_excite: bool
    activation: str
    stride: int


@dataclass(frozen=True)
class XceptionBlock:
    """A run of equal units of three separable convolutions.

    Attributes:
        name: Prefix of the layer names.
        channels: Output channels of the three.
        stride: Stride of the last one.
        units: Number of units.
        skip: "conv" (a strided 1x1 convolution), "sum" or "none".
        activation: "before" each separable convolution, or "after" each of its two convolutions.
    """

    name: str
    channels: tuple[int, int, int]
    stride: int
    units: int = 1
    skip: str = "conv"
    activation: str = "before"


@dataclass(frozen=True, kw_only=True)
class BackboneRow:
    """One backbone; each family adds what its builder reads.

    Attributes:
        name: Identifier, as in `DeepLab(backbone=...)`.
        family: The builder in `keras_deeplab.models.backbones`.
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
class EfficientNetLiteRow(MobileNetV2Row):
    """An EfficientNet-Lite; its stem is that of MobileNetV2."""

    family: str = "efficientnet_lite"


@dataclass(frozen=True, kw_only=True)
class MobileNetV3Row(BackboneRow):
    """A MobileNetV3.

    Its squeeze-excites average maps whose density depends on the output stride, so that features
    at different output strides agree nearly, not exactly.

    Attributes:
        blocks: Blocks after the stem, in order.
        stem_channels: Output channels of the stride-2 stem at depth multiplier 1.
        depth_multiplier: Factor on all channel counts.
        channel_divisor: Channel counts are rounded to a multiple of it.
        dilates_first: Whether the block whose stride was removed dilates already, as its
            published weights were trained. Such a network is not consistent across output
            strides.
    """

    family: str = "mobilenet_v3"
    epsilon: float = 1e-3
    blocks: tuple[MobileNetV3Block, ...]
    stem_channels: int = 16
    depth_multiplier: float = 1.0
    channel_divisor: int = 8
    dilates_first: bool = False


@dataclass(frozen=True, kw_only=True)
class XceptionRow(BackboneRow):
    """An aligned Xception.

    Attributes:
        blocks: Blocks after the stem, in order.
        stem_channels: Output channels of the stem's two convolutions, of which the first strides.
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

# Tan and Le, arXiv:1905.11946, table 1.
_EFFICIENTNET_STAGES = (
    InvertedResidualStage(expansion=1, channels=16, blocks=1, stride=1),
    InvertedResidualStage(expansion=6, channels=24, blocks=2, stride=2),
    InvertedResidualStage(expansion=6, channels=40, blocks=2, stride=2, kernel_size=5),
    InvertedResidualStage(expansion=6, channels=80, blocks=3, stride=2),
    InvertedResidualStage(expansion=6, channels=112, blocks=3, stride=1, kernel_size=5),
    InvertedResidualStage(expansion=6, channels=192, blocks=4, stride=2, kernel_size=5),
    InvertedResidualStage(expansion=6, channels=320, blocks=1, stride=1),
)

# Howard et al., arXiv:1905.02244, tables 1 and 2.
_MOBILENET_V3_LARGE_BLOCKS = (
    MobileNetV3Block(3, 16, 16, False, "relu", 1),
    MobileNetV3Block(3, 64, 24, False, "relu", 2),
    MobileNetV3Block(3, 72, 24, False, "relu", 1),
    MobileNetV3Block(5, 72, 40, True, "relu", 2),
    MobileNetV3Block(5, 120, 40, True, "relu", 1),
    MobileNetV3Block(5, 120, 40, True, "relu", 1),
    MobileNetV3Block(3, 240, 80, False, "hard_swish", 2),
    MobileNetV3Block(3, 200, 80, False, "hard_swish", 1),
    MobileNetV3Block(3, 184, 80, False, "hard_swish", 1),
    MobileNetV3Block(3, 184, 80, False, "hard_swish", 1),
    MobileNetV3Block(3, 480, 112, True, "hard_swish", 1),
    MobileNetV3Block(3, 672, 112, True, "hard_swish", 1),
    MobileNetV3Block(5, 672, 160, True, "hard_swish", 2),
    MobileNetV3Block(5, 960, 160, True, "hard_swish", 1),
    MobileNetV3Block(5, 960, 160, True, "hard_swish", 1),
)
_MOBILENET_V3_SMALL_BLOCKS = (
    MobileNetV3Block(3, 16, 16, True, "relu", 2),
    MobileNetV3Block(3, 72, 24, False, "relu", 2),
    MobileNetV3Block(3, 88, 24, False, "relu", 1),
    MobileNetV3Block(5, 96, 40, True, "hard_swish", 2),
    MobileNetV3Block(5, 240, 40, True, "hard_swish", 1),
    MobileNetV3Block(5, 240, 40, True, "hard_swish", 1),
    MobileNetV3Block(5, 120, 48, True, "hard_swish", 1),
    MobileNetV3Block(5, 144, 48, True, "hard_swish", 1),
    MobileNetV3Block(5, 288, 96, True, "hard_swish", 2),
    MobileNetV3Block(5, 576, 96, True, "hard_swish", 1),
    MobileNetV3Block(5, 576, 96, True, "hard_swish", 1),
)

_XCEPTION_EXIT = (
    XceptionBlock("exit_flow_block1", (728, 1024, 1024), stride=2),
    XceptionBlock(
        "exit_flow_block2", (1536, 1536, 2048), stride=1, skip="none", activation="after"
    ),
)


def _xception_blocks(middle_units: int) -> tuple[XceptionBlock, ...]:
    return (
        XceptionBlock("entry_flow_block1", (128, 128, 128), stride=2),
        XceptionBlock("entry_flow_block2", (256, 256, 256), stride=2),
        XceptionBlock("entry_flow_block3", (728, 728, 728), stride=2),
        _xception_middle(middle_units),
        *_XCEPTION_EXIT,
    )


def _xception_middle(units: int) -> XceptionBlock:
    return XceptionBlock("middle_flow_block1", (728, 728, 728), stride=1, units=units, skip="sum")


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
        EfficientNetLiteRow(
            name="efficientnet_lite0",
            stages=_EFFICIENTNET_STAGES,
            source="arXiv:1905.11946; tensorflow/tpu models/official/efficientnet/lite",
        ),
        # torchvision's DeepLab dilates the whole last stage, the block that strode included.
        MobileNetV3Row(
            name="mobilenet_v3_large",
            blocks=_MOBILENET_V3_LARGE_BLOCKS,
            dilates_first=True,
            source="arXiv:1905.02244; torchvision",
        ),
        MobileNetV3Row(
            name="mobilenet_v3_small",
            blocks=_MOBILENET_V3_SMALL_BLOCKS,
            source="arXiv:1905.02244",
        ),
        XceptionRow(
            name="xception_41",
            blocks=_xception_blocks(8),
            source="arXiv:1802.02611; tensorflow/models research/deeplab",
        ),
        XceptionRow(
            name="xception_65",
            blocks=_xception_blocks(16),
            source="arXiv:1802.02611; tensorflow/models research/deeplab",
        ),
        XceptionRow(
            name="xception_71",
            blocks=(
                XceptionBlock("entry_flow_block1", (128, 128, 128), stride=2),
                XceptionBlock("entry_flow_block2", (256, 256, 256), stride=1),
                XceptionBlock("entry_flow_block3", (256, 256, 256), stride=2),
                XceptionBlock("entry_flow_block4", (728, 728, 728), stride=1),
                XceptionBlock("entry_flow_block5", (728, 728, 728), stride=2),
                _xception_middle(16),
                *_XCEPTION_EXIT,
            ),
            source="arXiv:1802.02611; tensorflow/models research/deeplab",
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

__all__ = [
    "BACKBONES",
    "BackboneRow",
    "EfficientNetLiteRow",
    "InvertedResidualStage",
    "MobileNetV2Row",
    "MobileNetV3Block",
    "MobileNetV3Row",
    "ResNetRow",
    "VGGRow",
    "XceptionBlock",
    "XceptionRow",
]
