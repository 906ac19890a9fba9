"""EfficientNet-Lite: MobileNetV2's blocks in EfficientNet's stages (arXiv:1905.11946)."""

from __future__ import annotations

from typing import Any

from keras_deeplab.models.backbones.mobilenet_v2 import mobilenet_v2
from keras_deeplab.models.blocks import Feature
from keras_deeplab.presets.backbone_row import EfficientNetLiteRow


def efficientnet_lite(
    row: EfficientNetLiteRow, image: Any, *, output_stride: int = 16, batch_norm: str = "trainable"
) -> dict[str, Feature]:
    """Builds EfficientNet-Lite without its classifier.

    It is EfficientNet without squeeze-excite and with ReLU6 in place of swish, so that it runs in
    8 bits.

    Args:
        row: Stages.
        image: Normalised image tensor of shape (batch, height, width, 3).
        output_stride: 8, 16 or 32 input pixels per feature pixel.
        batch_norm: "trainable"; "frozen" (always its stored statistics); or "folded" (none: the
            convolutions carry a bias instead).

    Returns:
        The output of every block as "block_0", "block_1", ... and the last one as "output".

    Example:

    >>> import keras
    >>> from keras_deeplab.presets.backbones import BACKBONES
    >>> features = efficientnet_lite(BACKBONES["efficientnet_lite0"], keras.Input((96, 96, 3)))
    >>> features["output"].tensor.shape, features["output"].stride
    ((None, 6, 6, 320), 16)
    """
    return mobilenet_v2(row, image, output_stride=output_stride, batch_norm=batch_norm)
