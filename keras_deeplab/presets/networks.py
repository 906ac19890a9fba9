"""The DeepLab networks: combinations of backbone and head."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# Prefixes of the names of head layers; all other layers with weights belong to the backbone, except
# the CRF.
HEAD_LAYERS = r"aspp|decoder|classifier|fc\d"


@dataclass(frozen=True, kw_only=True)
class DeepLabRow:
    """One network of the family.

    Attributes:
        name: Identifier, `deeplab_{version}_{backbone}`, followed by `_{variant}` if any.
        version: "v1", "v2", "v3" or "v3_plus".
        backbone: A name in `BACKBONES`.
        variant: Distinguishes heads on the same backbone; the first row is the default.
        output_stride: Output stride in training, and the default.
        output_strides: Supported output strides.
        atrous_rates: Rates of the head's 3x3 branches, in feature pixels. Empty if the published
            network has none.
        rates_output_stride: The output stride that the rates refer to.
        multi_grid: Unit rates of the backbone's last stage.
        head_channels: Channels of every branch and of the projection; 0 if the branches of v2 are
            classifiers themselves.
        projection_size: Kernel size of ASPP's projection.
        refine: Whether a 3x3 convolution follows ASPP.
        image_pooling: Whether ASPP has image-level features.
        dropout: Rate of the dropout after ASPP.
        low_level: Name of the low-level features for v3+'s decoder.
        low_level_channels: Channels that the low-level features are projected to.
        decoder_channels: Channels of the decoder's convolutions.
        separable: Whether the head's 3x3 convolutions are depthwise separable.
        epsilon: Epsilon of batch norm in the head.
        source: Source of the architecture.
    """

    name: str
    version: str
    backbone: str
    variant: str = ""
    output_stride: int = 16
    output_strides: tuple[int, ...] = (8, 16, 32)
    atrous_rates: tuple[int, ...] = (6, 12, 18)
    rates_output_stride: int = 16
    multi_grid: tuple[int, ...] = (1, 1, 1)
    head_channels: int = 256
    projection_size: int = 1
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
        # The usual 6, 12, 18 are for crops of 513; it is trained on 257 and run at about 400.
        atrous_rates=(4, 8, 12),
        low_level="block_2",
        separable=True,
        decoder_channels=128,
        source="arXiv:1802.02611",
    ),
    # DeepLab v1 and v2, as in the prototxts that were released with them.
    DeepLabRow(
        name="deeplab_v1_vgg16",
        version="v1",
        backbone="vgg16",
        output_stride=8,
        atrous_rates=(12,),
        rates_output_stride=8,
        head_channels=1024,
        source="arXiv:1412.7062; DeepLab-LargeFOV",
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v2_vgg16_{variant}",
            version="v2",
            backbone="vgg16",
            variant=variant,
            output_stride=8,
            atrous_rates=rates,
            rates_output_stride=8,
            head_channels=1024,
            source="arXiv:1606.00915, table 3",
        )
        for variant, rates in (
            ("aspp_l", (6, 12, 18, 24)),
            ("aspp_s", (2, 4, 8, 12)),
            ("large_fov", (12,)),
        )
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v2_resnet101_caffe_{variant}",
            version="v2",
            backbone="resnet101_caffe",
            variant=variant,
            output_stride=8,
            atrous_rates=rates,
            rates_output_stride=8,
            head_channels=0,
            source="arXiv:1606.00915, table 4",
        )
        for variant, rates in (("aspp", (6, 12, 18, 24)), ("large_fov", (12,)))
    ),
    # The paper's: rates 2 * (1, 2, 4) in the last stage at output stride 16.
    DeepLabRow(
        name="deeplab_v3_resnet101_caffe",
        version="v3",
        backbone="resnet101_caffe",
        multi_grid=(1, 2, 4),
        source="arXiv:1706.05587, table 5",
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v3_{backbone}",
            version="v3",
            backbone=backbone,
            output_stride=8,
            atrous_rates=(12, 24, 36),
            rates_output_stride=8,
            refine=True,
            dropout=0.5,
            source="arXiv:1706.05587; torchvision.models.segmentation",
        )
        for backbone in ("resnet50", "resnet101")
    ),
    *(
        DeepLabRow(
            name=f"deeplab_{version}_{backbone}",
            version=version,
            backbone=backbone,
            output_stride=8,
            atrous_rates=(12, 24, 36),
            rates_output_stride=8,
            head_channels=512,
            projection_size=3,
            low_level="stage_1" if version == "v3_plus" else "",
            decoder_channels=512,
            separable=version == "v3_plus",
            source="arXiv:1706.05587; arXiv:1802.02611; mmsegmentation",
        )
        for version in ("v3", "v3_plus")
        for backbone in ("resnet50_v1c", "resnet101_v1c")
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
    *(
        DeepLabRow(
            name=f"deeplab_v3_plus_{backbone}",
            version="v3_plus",
            backbone=backbone,
            low_level="stage_1",
            source="arXiv:1802.02611, section 4.1",
        )
        for backbone in ("resnet50_keras", "resnet101_keras")
    ),
)

DEEPLABS: dict[str, DeepLabRow] = {row.name: row for row in _ROWS}


def any_backbone_row(version: str, backbone: str, variant: str | None = None) -> DeepLabRow:
    """Returns the network of a version on a backbone that has no row.

    Args:
        version: "v1", "v2", "v3" or "v3_plus".
        backbone: Name of the backbone.
        variant: Head of v2: "aspp" or "large_fov". None: "aspp".

    Raises:
        ValueError: If the version has no such variant.
    """
    variants = ("aspp", "large_fov") if version == "v2" else ()
    if variant is not None and variant not in variants:
        raise ValueError(
            f"variant must be 'aspp' or 'large_fov', of version 'v2'. Received: "
            f"variant={variant!r} with version={version!r}."
        )
    # The heads of v1 and v2 on ResNet-101 and of v3+ on Xception.
    paper: dict[str, Any] = {"output_stride": 8, "rates_output_stride": 8, "head_channels": 0}
    wide = variant == "large_fov"
    options: dict[str, Any] = {
        "v1": {**paper, "atrous_rates": (12,), "head_channels": 1024},
        "v2": {**paper, "atrous_rates": (12,) if wide else (6, 12, 18, 24)},
        "v3": {},
        "v3_plus": {"low_level": "low_level", "separable": True},
    }[version]
    name = re.sub(r"\W+", "_", backbone).lower()
    return DeepLabRow(
        name=f"deeplab_{version}_{name}",
        version=version,
        backbone=backbone,
        variant=variant or "",
        source="arXiv:1412.7062; arXiv:1606.00915; arXiv:1706.05587; arXiv:1802.02611",
        **options,
    )


def is_head_layer(name: str) -> bool:
    """Returns whether a layer of that name belongs to the head of a network."""
    return re.match(HEAD_LAYERS, name) is not None
