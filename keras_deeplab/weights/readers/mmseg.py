"""Reads mmsegmentation's DeepLab v3 and v3+ on ResNetV1c."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import torchvision_resnet_layer

# Modules 0, 3, 6 of the stem are convolutions, 1, 4, 7 their batch norms.
_STEM = {str(3 * i + k): f"stem_{i + 1}" + "_bn" * k for i in range(3) for k in range(2)}
_HEAD = {
    "image_pool.1": "aspp_image_pooling",
    "bottleneck": "aspp_projection",
    "c1_bottleneck": "decoder_low_level",
}


def _layer(name: str) -> str | None:
    module, _, name = name.partition(".")
    if module == "auxiliary_head":
        return None
    if module == "backbone":
        if name.startswith("stem."):
            return _STEM.get(name.removeprefix("stem."), "")
        return torchvision_resnet_layer(name)
    if module != "decode_head":
        return ""
    if name == "conv_seg":
        return "classifier"
    match = re.fullmatch(r"(.*?)(?:\.(depthwise|pointwise)_conv)?\.(conv|bn)", name)
    if not match:
        return ""
    place, separable, kind = match.groups()
    layer = _HEAD.get(place, "")
    if numbered := re.fullmatch(r"(aspp_modules|sep_bottleneck)\.(\d)", place):
        layer = {"aspp_modules": "aspp", "sep_bottleneck": "decoder"}[numbered[1]]
        layer += f"_{numbered[2]}"
    if not layer:
        return ""
    # A string times a bool: the suffix only for batch norm.
    return layer + (f"_{separable}" if separable else "") + "_bn" * (kind == "bn")


def convert_mmseg(path: str | Path) -> dict[str, np.ndarray]:
    """Reads mmsegmentation's deeplabv3 or deeplabv3plus; the auxiliary head is dropped."""
    return rename_tensors(read_tensors(path), _layer, path)
