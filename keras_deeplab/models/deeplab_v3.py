"""DeepLab v3 (Chen et al., arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_deeplab.backbones import build_backbone
from keras_deeplab.blocks import normalize_image
from keras_deeplab.heads.aspp import aspp, scaled_rates
from keras_deeplab.heads.output import classifier, segmentation_output
from keras_deeplab.tables.backbones import BACKBONES
from keras_deeplab.tables.deeplabs import DeepLabRow


def deeplab_v3(
    row: DeepLabRow,
    *,
    class_names: Sequence[str],
    output_stride: int = 16,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    preprocessing: str | None = "tf",
    align_corners: bool = False,
    batch_norm: str = "trainable",
    activation: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds DeepLab v3: backbone, ASPP, 1x1 classifier, bilinear upsampling.

    Args:
        row: Backbone and head.
        class_names: Names by label id; their number is the number of classes.
        output_stride: Input pixels per feature pixel.
        input_shape: (height, width, 3); None leaves a side free.
        preprocessing: As in `keras_deeplab.blocks.normalize_image`; None expects the image
            normalised.
        align_corners: Grid of the bilinear resizes.
        batch_norm: As in `keras_deeplab.blocks.conv_bn`.
        activation: Activation of the scores; None returns logits.
        name: Name of the model.

    Returns:
        A model from (batch, height, width, 3) to float32 scores of shape (batch, height, width,
        classes).
    """
    image = keras.Input(input_shape, name="image")
    x = image if preprocessing is None else normalize_image(image, preprocessing)
    features = build_backbone(
        BACKBONES[row.backbone], x, output_stride=output_stride, batch_norm=batch_norm
    )
    x = aspp(
        features["output"].tensor,
        atrous_rates=scaled_rates(row.atrous_rates, output_stride=output_stride),
        channels=row.head_channels,
        align_corners=align_corners,
        batch_norm=batch_norm,
    )
    scores = segmentation_output(
        classifier(x, len(class_names)),
        image,
        class_names=class_names,
        align_corners=align_corners,
        activation=activation,
    )
    return keras.Model(image, scores, name=name or row.name)
