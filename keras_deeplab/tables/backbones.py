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
    )
}
