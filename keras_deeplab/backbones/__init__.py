"""Backbones: builder functions that return their features by name."""

from __future__ import annotations

from typing import Any

from keras_deeplab.backbones.mobilenet_v2 import mobilenet_v2
from keras_deeplab.blocks import Feature
from keras_deeplab.tables.backbones import BackboneRow

_BUILDERS = {"mobilenet_v2": mobilenet_v2}


def build_backbone(
    row: BackboneRow, image: Any, *, output_stride: int, batch_norm: str
) -> dict[str, Feature]:
    """Builds the backbone that ``row`` describes onto ``image``."""
    return _BUILDERS[row.family](row, image, output_stride=output_stride, batch_norm=batch_norm)


__all__ = ["build_backbone", "mobilenet_v2"]
