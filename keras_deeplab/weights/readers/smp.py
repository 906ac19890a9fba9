"""Reads DeepLab v3 and v3+ on ResNet of segmentation_models_pytorch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import pooling_first, torchvision_resnet_layer

_BATCH_NORM_INDEX = {"0": "", "1": "_bn"}
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
    match = re.fullmatch(r"(?:aspp(?:\.0)?|0)\.(convs\.(\d)|project)\.([\d.]+)", name)
    if not match:
        return ""
    place, branch, index = match.groups()
    if place == "project":
        layer, endings = "aspp_projection", _BATCH_NORM_INDEX
    elif branch == "4":
        layer, endings = "aspp_image_pooling", {"1": "", "2": "_bn"}
    elif branch != "0" and ("." in index or name.startswith("aspp.0.")):
        layer, endings = f"aspp_{branch}", _SEPARABLE
    else:
        layer, endings = f"aspp_{branch}", _BATCH_NORM_INDEX
    return layer + endings[index] if index in endings else ""


def convert_smp(path: str | Path) -> dict[str, np.ndarray]:
    """Reads DeepLabV3 or DeepLabV3Plus of smp with the encoder resnet50 or resnet101.

    Args:
        path: A file with the network's state dict, or a checkpoint of its training.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the file cannot be read or contains a different network.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> convert_smp("photo.jpg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: A .pth file must be what torch.save writes. ...
    """
    return pooling_first(rename_tensors(read_tensors(path), _layer, path))
