"""The DeepLab networks: combinations of backbone and head."""

from __future__ import annotations

import re
from typing import Any

from keras_deeplab.presets import networks_of_peers
from keras_deeplab.presets.network_row import DeepLabRow

# Prefixes of the names of head layers; all other layers with weights belong to the backbone, except
# the CRF.
HEAD_LAYERS = r"aspp|decoder|classifier|fc\d"

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
    DeepLabRow(
        name="deeplab_v2_resnet101_caffe_aspp_s",
        version="v2",
        backbone="resnet101_caffe",
        variant="aspp_s",
        output_stride=8,
        atrous_rates=(3, 6, 9, 12),
        rates_output_stride=8,
        head_channels=0,
        reads="kazuto1011/deeplab-pytorch",
        source="kazuto1011/deeplab-pytorch, DeepLabV2S",
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

DEEPLABS: dict[str, DeepLabRow] = {row.name: row for row in (*_ROWS, *networks_of_peers.ROWS)}

__all__ = ["DEEPLABS", "HEAD_LAYERS", "DeepLabRow", "is_head_layer"]


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
