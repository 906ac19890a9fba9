"""Reads torchvision's DeepLab v3 on MobileNetV3-Large."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torchvision import torchvision_head_layer

_ENDINGS = ("", "_bn")


def convert_torchvision_mobilenet(path: str | Path) -> dict[str, np.ndarray]:
    """Reads torchvision's deeplabv3_mobilenet_v3_large; its auxiliary head is dropped."""
    tensors = read_tensors(path)
    layers = _backbone_layers(tensors)

    def rename(name: str) -> str | None:
        return (
            layers.get(name, "") if name.startswith("backbone.") else torchvision_head_layer(name)
        )

    return rename_tensors(tensors, rename, path, pooled_last=True)


def _backbone_layers(tensors: Iterable[str]) -> dict[str, str]:
    """Maps the backbone's modules to layers; module numbers depend on the structure of a block."""
    layers: dict[str, str] = {}
    children: dict[int, dict[int, bool]] = {}
    for name in tensors:
        if match := re.match(r"backbone\.(\d+)\.block\.(\d+)\.(fc)?", name):
            children.setdefault(int(match[1]), {})[int(match[2])] = bool(match[3])
    for block, kinds in children.items():
        name = f"block_{block - 1}"
        convolutions = []
        for index, excites in kinds.items():
            module = f"backbone.{block}.block.{index}"
            if excites:
                layers |= {f"{module}.fc1": f"{name}_squeeze", f"{module}.fc2": f"{name}_excite"}
            else:
                convolutions.append(module)
        # The first block has no expansion convolution.
        for module, kind in zip(
            reversed(convolutions), ("project", "depthwise", "expand"), strict=False
        ):
            layers |= {f"{module}.{i}": f"{name}_{kind}{end}" for i, end in enumerate(_ENDINGS)}
    for block, name in ((0, "stem"), (max(children, default=0) + 1, "last")):
        layers |= {f"backbone.{block}.{i}": f"{name}{end}" for i, end in enumerate(_ENDINGS)}
    return layers
