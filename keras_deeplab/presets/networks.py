"""The DeepLab networks: combinations of backbone and head."""

from __future__ import annotations

import re
from typing import Any

from keras_deeplab.presets.network_row import DeepLabRow

# Prefixes of the names of head layers; all other layers with weights belong to the backbone, except
# the CRF.
HEAD_LAYERS = r"aspp|decoder|classifier|fc\d"

# What rows share: rates at output stride 8, torchvision's head, smp's rates, and the decoder.
_DENSE: dict[str, Any] = {"output_stride": 8, "rates_output_stride": 8}
_WIDE: dict[str, Any] = {"atrous_rates": (12, 24, 36)}
_REFINED: dict[str, Any] = {**_WIDE, "refine": True, "dropout": 0.5}
# smp sets the rate of a whole stage, and keeps the rates of its ASPP at every output stride.
_SMP: dict[str, Any] = {**_REFINED, "dilates_first": True, "variant": "smp"}
_V3, _V3_PLUS = "arXiv:1706.05587", "arXiv:1802.02611"


def _row(version: str, backbone: str, *, variant: str = "", **fields: Any) -> DeepLabRow:
    name = f"deeplab_{version}_{backbone}{f'_{variant}' if variant else ''}"
    return DeepLabRow(name=name, version=version, backbone=backbone, variant=variant, **fields)


def _row_of_peer(version: str, backbone: str, library: str, **fields: Any) -> DeepLabRow:
    paper = _V3_PLUS if version == "v3_plus" else _V3
    return _row(version, backbone, reads=library, source=f"{paper}; {library}", **fields)


_ROWS = (
    *(
        _row("v3", name, atrous_rates=(), source=f"{_V3}; arXiv:1801.04381, section 6.3")
        for name in ("mobilenet_v2", "mobilenet_v2_050")
    ),
    _row("v3_plus", "mobilenet_v2", low_level="block_2", separable=True, source=_V3_PLUS),
    _row("v3", "mobilenet_v3_large", **_REFINED, source=f"{_V3}; torchvision"),
    _row(
        "v3_plus",
        "efficientnet_lite0",
        # The usual 6, 12, 18 are for crops of 513; it is trained on 257 and run at about 400.
        atrous_rates=(4, 8, 12),
        low_level="block_2",
        separable=True,
        decoder_channels=128,
        source=_V3_PLUS,
    ),
    # DeepLab v1 and v2, as in the prototxts that were released with them.
    _row(
        "v1",
        "vgg16",
        **_DENSE,
        atrous_rates=(12,),
        head_channels=1024,
        source="arXiv:1412.7062; DeepLab-LargeFOV",
    ),
    *(
        _row(
            "v2",
            backbone,
            variant=variant,
            **_DENSE,
            atrous_rates=rates,
            head_channels=1024 if backbone == "vgg16" else 0,
            source=f"arXiv:1606.00915, table {3 if backbone == 'vgg16' else 4}",
        )
        for backbone, variant, rates in (
            ("vgg16", "aspp_l", (6, 12, 18, 24)),
            ("vgg16", "aspp_s", (2, 4, 8, 12)),
            ("vgg16", "large_fov", (12,)),
            ("resnet101_caffe", "aspp", (6, 12, 18, 24)),
            ("resnet101_caffe", "large_fov", (12,)),
        )
    ),
    _row(
        "v2",
        "resnet101_caffe",
        variant="aspp_s",
        **_DENSE,
        atrous_rates=(3, 6, 9, 12),
        head_channels=0,
        reads="kazuto1011/deeplab-pytorch",
        source="kazuto1011/deeplab-pytorch, DeepLabV2S",
    ),
    # The paper's: rates 2 * (1, 2, 4) in the last stage at output stride 16.
    _row("v3", "resnet101_caffe", multi_grid=(1, 2, 4), source=f"{_V3}, table 5"),
    *(
        _row("v3", name, **_DENSE, **_REFINED, source=f"{_V3}; torchvision.models.segmentation")
        for name in ("resnet50", "resnet101")
    ),
    *(
        _row(
            version,
            backbone,
            **_DENSE,
            **_WIDE,
            head_channels=512,
            projection_size=3,
            low_level="stage_1" if version == "v3_plus" else "",
            decoder_channels=512,
            separable=version == "v3_plus",
            source=f"{_V3}; {_V3_PLUS}; mmsegmentation",
        )
        for version in ("v3", "v3_plus")
        for backbone in ("resnet50_v1c", "resnet101_v1c")
    ),
    *(
        _row(
            "v3_plus",
            f"xception_{depth}",
            low_level=f"entry_flow_block{block}_unit_1_separable_conv2",
            separable=True,
            source=f"{_V3_PLUS}; tensorflow/models research/deeplab",
        )
        for depth, block in ((41, 2), (65, 2), (71, 3))
    ),
    *(
        _row("v3_plus", name, low_level="stage_1", source=f"{_V3_PLUS}, section 4.1")
        for name in ("resnet50_keras", "resnet101_keras")
    ),
    # Networks as other libraries build them, for their checkpoints.
    *(
        _row_of_peer(
            "v3", name, "segmentation_models_pytorch", **_DENSE, **_SMP, output_strides=(8,)
        )
        for name in ("resnet50", "resnet101")
    ),
    *(
        _row_of_peer(
            "v3_plus",
            name,
            "segmentation_models_pytorch",
            **_SMP,
            output_strides=(16,),
            low_level="stage_1",
            decoder_convolutions=1,
            separable=True,
            separable_norm=False,
        )
        for name in ("resnet50", "resnet101")
    ),
    *(
        _row_of_peer(
            "v3_plus",
            name,
            "VainF/DeepLabV3Plus-Pytorch",
            variant="vainf",
            low_level="stage_1",
            decoder_convolutions=1,
        )
        for name in ("resnet50", "resnet101")
    ),
    _row_of_peer(
        "v3_plus",
        "resnet101",
        "jfzhang95/pytorch-deeplab-xception",
        variant="jfzhang",
        output_strides=(8, 16),
        multi_grid=(1, 2, 4),
        dilates_first=True,
        low_level="stage_1",
        dropout=0.5,
    ),
)

DEEPLABS: dict[str, DeepLabRow] = {row.name: row for row in _ROWS}

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
    paper: dict[str, Any] = {**_DENSE, "head_channels": 0}
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
