"""Builder functions of the backbone families."""

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
    # EfficientNet-Lite has the same blocks as MobileNetV2.
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
    """Builds the backbone described by ``row`` on a normalised image.

    Args:
        row: The backbone.
        image: Tensor of shape (batch, height, width, 3).
        output_stride: Input pixels per feature pixel.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        **options: Options of some families only, such as ``multi_grid`` and ``padding``.

    Returns:
        Features by name; the last one is "output".
    """
    return _BUILDERS[row.family](
        row, image, output_stride=output_stride, batch_norm=batch_norm, **options
    )
