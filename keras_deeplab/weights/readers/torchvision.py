"""Reads torchvision's DeepLab v3."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors

_BATCH_NORM_INDEX = {"0": "", "1": "_bn"}


def torchvision_resnet_layer(name: str) -> str:
    """Returns the layer for a module name of torchvision's ResNet, or "" if unknown.

    Example:

    >>> torchvision_resnet_layer("layer1.2.bn3")
    'stage_1_block_2_conv_3_bn'
    """
    if stem := re.fullmatch(r"(conv|bn)1", name):
        return "stem_bn" if stem[1] == "bn" else "stem"
    if match := re.fullmatch(r"layer([1-4])\.(\d+)\.(conv|bn)([1-3])", name):
        stage, block, kind, index = match.groups()
        return f"stage_{stage}_block_{block}_conv_{index}{'_bn' * (kind == 'bn')}"
    if match := re.fullmatch(r"layer([1-4])\.(\d+)\.downsample\.([01])", name):
        stage, block, index = match.groups()
        return f"stage_{stage}_block_{block}_shortcut{_BATCH_NORM_INDEX[index]}"
    return ""


def torchvision_aspp_layer(name: str) -> str:
    """Returns the layer for a module of `ASPP`, which other libraries took over, or "" if unknown.

    Example:

    >>> torchvision_aspp_layer("convs.3.1")
    'aspp_3_bn'
    """
    if match := re.fullmatch(r"(?:convs\.([0-3])|project)\.([01])", name):
        return f"aspp_{match[1] or 'projection'}{_BATCH_NORM_INDEX[match[2]]}"
    # The fifth branch begins with a pool, so its convolution is module 1 and its batch norm 2.
    if match := re.fullmatch(r"convs\.4\.([12])", name):
        return "aspp_image_pooling" + "_bn" * (match[1] == "2")
    return ""


def torchvision_head_layer(name: str) -> str | None:
    """Returns the layer for a module of `DeepLabHead`, None for auxiliary heads, "" if unknown.

    Example:

    >>> torchvision_head_layer("classifier.0.convs.3.1")
    'aspp_3_bn'
    """
    if name.startswith("aux_classifier."):
        return None
    if name == "classifier.4":
        return "classifier"
    if match := re.fullmatch(r"classifier\.([12])", name):
        # A string times a bool: the suffix only for batch norm.
        return "aspp_refine" + "_bn" * (match[1] == "2")
    return torchvision_aspp_layer(name.removeprefix("classifier.0."))


def convert_torchvision(path: str | Path) -> dict[str, np.ndarray]:
    """Reads torchvision's deeplabv3_resnet50 or deeplabv3_resnet101, without auxiliary heads."""

    def rename(name: str) -> str | None:
        if name.startswith("backbone."):
            return torchvision_resnet_layer(name.removeprefix("backbone."))
        return torchvision_head_layer(name)

    return rename_tensors(read_tensors(path), rename, path, pooled_last=True)
