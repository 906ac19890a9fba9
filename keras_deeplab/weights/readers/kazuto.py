"""Reads DeepLab v2 and v3 of kazuto1011/deeplab-pytorch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors

_CONVOLUTIONS = {
    "reduce": "conv_1",
    "conv3x3": "conv_2",
    "increase": "conv_3",
    "proj": "shortcut",
    "shortcut": "shortcut",
}


def _layer(name: str) -> str:
    # Module names differ between releases: "scale" became "base", "proj" became "shortcut".
    name = re.sub(r"^(module\.)?((base|scale)\.)?", "", name)
    if match := re.fullmatch(r"layer1\.conv1\.(conv|bn)", name):
        # A string times a bool: the suffix only for batch norm.
        return "stem" + "_bn" * (match[1] == "bn")
    if match := re.fullmatch(r"layer([2-5])\.block(\d+)\.(\w+)\.(conv|bn)", name):
        stage, block, branch, kind = match.groups()
        if branch in _CONVOLUTIONS:
            prefix = f"stage_{int(stage) - 1}_block_{int(block) - 1}"
            return f"{prefix}_{_CONVOLUTIONS[branch]}{'_bn' * (kind == 'bn')}"
    if match := re.fullmatch(r"aspp\.(?:stages\.)?c(\d)", name):
        return f"classifier_{match[1]}"
    # Version 3.
    if match := re.fullmatch(r"aspp\.stages\.(?:c(\d)|imagepool\.conv)\.(conv|bn)", name):
        return f"aspp_{match[1] or 'image_pooling'}" + "_bn" * (match[2] == "bn")
    if match := re.fullmatch(r"fc1\.(conv|bn)", name):
        return "aspp_projection" + "_bn" * (match[1] == "bn")
    if name == "fc2":
        return "classifier"
    return ""


def convert_kazuto(path: str | Path) -> dict[str, np.ndarray]:
    """Reads DeepLab v2 or v3 on ResNet-101 of kazuto1011/deeplab-pytorch, with or without MSC.

    The network was trained on BGR; the channels of its first kernel are reversed to RGB.
    """
    arrays = rename_tensors(read_tensors(path), _layer, path, pooled_last=True)
    if "stem/kernel" in arrays:
        arrays["stem/kernel"] = np.ascontiguousarray(arrays["stem/kernel"][:, :, ::-1])
    return arrays
