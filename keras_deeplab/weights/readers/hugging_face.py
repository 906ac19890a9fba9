"""Reads Hugging Face's DeepLab v3 on MobileNetV2 (google/deeplabv3_mobilenet_v2_1.0_513)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors

_PARTS = {"expand_1x1": "expand", "conv_3x3": "depthwise", "reduce_1x1": "project"}
_MODULES = {
    "mobilenet_v2.conv_stem.first_conv": "stem",
    "segmentation_head.conv_pool": "aspp_image_pooling",
    "segmentation_head.conv_aspp": "aspp_0",
    "segmentation_head.conv_projection": "aspp_projection",
    "segmentation_head.classifier": "classifier",
}


def hugging_face_layer(name: str) -> str | None:
    """Returns the layer for a module name, None if segmentation does not use it, "" if unknown.

    Example:

    >>> hugging_face_layer("mobilenet_v2.layer.0.expand_1x1.normalization")
    'block_1_expand_bn'
    """
    module, _, kind = name.rpartition(".")
    ending = {"convolution": "", "normalization": "_bn"}.get(kind)
    if ending is None:
        return ""
    # The 1x1 convolution before the ImageNet classifier.
    if module == "mobilenet_v2.conv_1x1":
        return None
    if module in _MODULES:
        return f"{_MODULES[module]}{ending}"
    # transformers counts the first block as part of the stem and the others from 0.
    match = re.fullmatch(r"mobilenet_v2\.(?:conv_stem|layer\.(\d+))\.(\w+)", module)
    if match and match[2] in _PARTS:
        return f"block_{0 if match[1] is None else int(match[1]) + 1}_{_PARTS[match[2]]}{ending}"
    return ""


def convert_hugging_face(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a `MobileNetV2ForSemanticSegmentation` of transformers."""
    return rename_tensors(read_tensors(path), hugging_face_layer, path)
