"""Backbones: builder functions that return their features by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_deeplab.models.backbones.mobilenet_v2 import mobilenet_v2
from keras_deeplab.models.backbones.mobilenet_v3 import mobilenet_v3
from keras_deeplab.models.backbones.resnet import resnet
from keras_deeplab.models.backbones.vgg import vgg
from keras_deeplab.models.backbones.xception import xception
from keras_deeplab.models.blocks import Feature
from keras_deeplab.presets.backbone_row import BackboneRow

_BUILDERS: dict[str, Callable[..., dict[str, Feature]]] = {
    # The same blocks in other stages.
    "efficientnet_lite": mobilenet_v2,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "resnet": resnet,
    "vgg": vgg,
    "xception": xception,
}


def build_backbone(
    row: BackboneRow, image: Any, *, output_stride: int, batch_norm: str, **options: Any
) -> dict[str, Feature]:
    """Builds the backbone that ``row`` describes onto a normalised image.

    Args:
        row: The backbone.
        image: Tensor of shape (batch, height, width, 3).
        output_stride: Input pixels per feature pixel.
        batch_norm: "trainable"; "frozen" (always its stored statistics); or "folded" (none: the
            convolutions carry a bias instead).
        **options: What only some families take, such as ``multi_grid``.

    Returns:
        Features by name; "output" is the last one.
    """
    return _BUILDERS[row.family](
        row, image, output_stride=output_stride, batch_norm=batch_norm, **options
    )
