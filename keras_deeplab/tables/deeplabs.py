"""The DeepLab networks: which head stands on which backbone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DeepLabRow:
    """One network of the family.

    Attributes:
        name: Identifier, `deeplab_{version}_{backbone}`.
        version: "v1", "v2", "v3" or "v3_plus".
        backbone: A row name of `BACKBONES`.
        output_stride: Output stride it was trained at, and the default.
        output_strides: Output strides it can be built at.
        atrous_rates: Rates of the head's 3x3 branches, in feature pixels. Empty where the
            published network has none.
        rates_output_stride: The output stride at which the rates are counted.
        multi_grid: Unit rates of the backbone's last stage.
        head_channels: Channels of every branch and of the projection.
        refine: Whether a 3x3 convolution follows ASPP.
        image_pooling: Whether ASPP has image-level features.
        dropout: Rate of the dropout after ASPP.
        low_level: The backbone feature that v3+'s decoder reads.
        low_level_channels: Channels that it is projected to.
        decoder_channels: Channels of the decoder's convolutions.
        separable: Whether the head's 3x3 convolutions are depthwise separable.
        epsilon: The head's batch norm's.
        source: Where the topology comes from.
    """

    name: str
    version: str
    backbone: str
    output_stride: int = 16
    output_strides: tuple[int, ...] = (8, 16, 32)
    atrous_rates: tuple[int, ...] = (6, 12, 18)
    rates_output_stride: int = 16
    multi_grid: tuple[int, ...] = (1, 1, 1)
    head_channels: int = 256
    refine: bool = False
    image_pooling: bool = True
    dropout: float = 0.1
    low_level: str = ""
    low_level_channels: int = 48
    decoder_channels: int = 256
    separable: bool = False
    epsilon: float = 1e-5
    source: str


_ROWS = (
    DeepLabRow(
        name="deeplab_v3_mobilenet_v2",
        version="v3",
        backbone="mobilenet_v2",
        atrous_rates=(),
        source="arXiv:1706.05587; arXiv:1801.04381, section 6.3",
    ),
    DeepLabRow(
        name="deeplab_v3_mobilenet_v2_050",
        version="v3",
        backbone="mobilenet_v2_050",
        atrous_rates=(),
        source="arXiv:1706.05587; arXiv:1801.04381, section 6.3",
    ),
    DeepLabRow(
        name="deeplab_v3_plus_mobilenet_v2",
        version="v3_plus",
        backbone="mobilenet_v2",
        low_level="block_2",
        separable=True,
        source="arXiv:1802.02611",
    ),
    DeepLabRow(
        name="deeplab_v3_mobilenet_v3_large",
        version="v3",
        backbone="mobilenet_v3_large",
        atrous_rates=(12, 24, 36),
        refine=True,
        dropout=0.5,
        source="arXiv:1706.05587; torchvision",
    ),
    DeepLabRow(
        name="deeplab_v3_plus_efficientnet_lite0",
        version="v3_plus",
        backbone="efficientnet_lite0",
        low_level="block_2",
        separable=True,
        source="arXiv:1802.02611",
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v3_plus_{backbone}",
            version="v3_plus",
            backbone=backbone,
            low_level=f"{block}_unit_1_separable_conv2",
            separable=True,
            source="arXiv:1802.02611; tensorflow/models research/deeplab",
        )
        for backbone, block in (
            ("xception_41", "entry_flow_block2"),
            ("xception_65", "entry_flow_block2"),
            ("xception_71", "entry_flow_block3"),
        )
    ),
)

DEEPLABS: dict[str, DeepLabRow] = {row.name: row for row in _ROWS}
