"""The DeepLab networks: which head stands on which backbone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeepLabRow:
    """One network of the family.

    Attributes:
        name: Identifier, `deeplab_{version}_{backbone}`.
        version: "v1", "v2", "v3" or "v3_plus".
        backbone: A row name of `BACKBONES`.
        output_stride: Output stride it was trained at, and the default.
        output_strides: Output strides it can be built at.
        atrous_rates: Rates of ASPP's 3x3 branches, in feature pixels at output stride 16. Empty
            where the published network has none.
        head_channels: Channels of every ASPP branch and of the projection.
        source: Where the topology comes from.
    """

    name: str
    version: str
    backbone: str
    output_stride: int
    output_strides: tuple[int, ...]
    atrous_rates: tuple[int, ...]
    head_channels: int
    source: str


DEEPLABS: dict[str, DeepLabRow] = {
    row.name: row
    for row in (
        DeepLabRow(
            name=f"deeplab_v3_{backbone}",
            version="v3",
            backbone=backbone,
            output_stride=16,
            output_strides=(8, 16, 32),
            atrous_rates=(),
            head_channels=256,
            source="arXiv:1706.05587; arXiv:1801.04381, section 6.3",
        )
        for backbone in ("mobilenet_v2", "mobilenet_v2_050")
    )
}
