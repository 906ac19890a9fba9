"""Reads DeepLab v3 and v3+ on ResNet of VainF/DeepLabV3Plus-Pytorch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import (
    torchvision_aspp_layer,
    torchvision_head_layer,
    torchvision_resnet_layer,
)

_DECODER = {
    "project.0": "decoder_low_level",
    "project.1": "decoder_low_level_bn",
    "classifier.0": "decoder_0",
    "classifier.1": "decoder_0_bn",
    "classifier.3": "classifier",
}


def _layer(name: str) -> str | None:
    module, _, name = name.partition(".")
    if module == "backbone":
        return torchvision_resnet_layer(name)
    if module != "classifier":
        return ""
    if name.startswith("aspp."):
        return torchvision_aspp_layer(name.removeprefix("aspp."))
    return _DECODER.get(name, "")


def _layer_v3(name: str) -> str | None:
    if name.startswith("backbone."):
        return torchvision_resnet_layer(name.removeprefix("backbone."))
    return torchvision_head_layer(name.removeprefix("classifier."))


def convert_vainf(path: str | Path) -> dict[str, np.ndarray]:
    """Reads DeepLab v3 or v3+ on ResNet-50 or ResNet-101 of VainF/DeepLabV3Plus-Pytorch."""
    tensors = read_tensors(path)
    plus = any(re.match(r"classifier\.(project|aspp)\.", name) for name in tensors)
    arrays = rename_tensors(tensors, _layer if plus else _layer_v3, path, pooled_last=True)
    key, low_level = "decoder_0/kernel", arrays.get("decoder_low_level/kernel")
    if key in arrays and low_level is not None:
        # The low-level features come first there, last in this package.
        arrays[key] = np.ascontiguousarray(np.roll(arrays[key], -low_level.shape[3], axis=2))
    return arrays
