"""Builder functions of the backbone families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_deeplab.models.backbones.mobilenet import mobilenet
from keras_deeplab.models.backbones.resnet import resnet
from keras_deeplab.models.backbones.vgg import vgg
from keras_deeplab.models.backbones.xception import xception
from keras_deeplab.models.blocks import Feature
from keras_deeplab.presets.backbone_row import BackboneRow

_BUILDERS: dict[str, Callable[..., dict[str, Feature]]] = {
    "efficientnet_lite": mobilenet,
    "mobilenet_v2": mobilenet,
    "mobilenet_v3": mobilenet,
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
        output_stride: Input pixels per feature pixel, 8, 16 or 32.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        **options: Options of some families: ``padding`` of MobileNets, zeros around their strided
            convolutions, see `ConvOptions`; ``multi_grid`` of ResNet and Xception, factors on the
            rates of the last blocks; ``dilates_first`` of ResNet, whether a block whose stride was
            removed already dilates: features at different output strides then differ.

    Returns:
        Features by name; the last one is "output".
    """
    return _BUILDERS[row.family](
        row, image, output_stride=output_stride, batch_norm=batch_norm, **options
    )
