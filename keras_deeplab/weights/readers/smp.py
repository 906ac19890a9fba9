"""Reads DeepLab v3 and v3+ on ResNet of segmentation_models_pytorch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import (
    torchvision_aspp_layer,
    torchvision_resnet_layer,
)

_SEPARABLE = {"0.0": "_depthwise", "0.1": "_pointwise", "1": "_pointwise_bn"}
# Version 3: its decoder was a sequence before 0.4.
_V3 = {"conv": "aspp_refine", "bn": "aspp_refine_bn", "1": "aspp_refine", "2": "aspp_refine_bn"}
_V3_PLUS = {
    "aspp.1.0": "aspp_refine_depthwise",
    "aspp.1.1": "aspp_refine_pointwise",
    "aspp.2": "aspp_refine_pointwise_bn",
    "block1.0": "decoder_low_level",
    "block1.1": "decoder_low_level_bn",
    **{f"block2.{index}": f"decoder_0{end}" for index, end in _SEPARABLE.items()},
}


def _layer(name: str) -> str | None:
    module, _, name = name.partition(".")
    if module == "classification_head":
        return None
    if module == "encoder":
        return torchvision_resnet_layer(name)
    if module == "segmentation_head":
        return "classifier" if name == "0" else ""
    if module != "decoder":
        return ""
    if layer := _V3.get(name) or _V3_PLUS.get(name):
        return layer
    # "aspp." in version 3, "aspp.0." in 3+, "0." in older releases.
    if match := re.fullmatch(r"aspp\.0\.convs\.([1-3])\.(0\.[01]|1)", name):
        return f"aspp_{match[1]}{_SEPARABLE[match[2]]}"
    return torchvision_aspp_layer(re.sub(r"^(aspp(\.0)?|0)\.", "", name))


def convert_smp(path: str | Path) -> dict[str, np.ndarray]:
    """Reads DeepLabV3 or DeepLabV3Plus of smp with the encoder resnet50 or resnet101."""
    return rename_tensors(read_tensors(path), _layer, path, pooled_last=True)
