"""Complete networks: from a row of the table to a functional `keras.Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_deeplab.backbones import build_backbone
from keras_deeplab.blocks import normalize_image
from keras_deeplab.heads.output import segmentation_output
from keras_deeplab.models.deeplab_v3 import deeplab_v3
from keras_deeplab.models.deeplab_v3_plus import deeplab_v3_plus
from keras_deeplab.tables.backbones import BACKBONES
from keras_deeplab.tables.deeplabs import DeepLabRow

_HEADS: dict[str, Callable[..., Any]] = {"v3": deeplab_v3, "v3_plus": deeplab_v3_plus}


def build_model(
    row: DeepLabRow,
    *,
    class_names: Sequence[str],
    output_stride: int | None = None,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    preprocessing: str | None = "tf",
    align_corners: bool = False,
    batch_norm: str = "trainable",
    crf: str | None = None,
    activation: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a network: normalisation, backbone, the version's head, upsampling to the image.

    Args:
        row: Backbone and head.
        class_names: Names by label id; their number is the number of classes.
        output_stride: Input pixels per feature pixel; the row's by default.
        input_shape: (height, width, 3); None leaves a side free.
        preprocessing: As in `keras_deeplab.blocks.normalize_image`; None expects the image
            normalised.
        align_corners: Grid of the bilinear resizes.
        batch_norm: As in `keras_deeplab.blocks.conv_bn`.
        crf: As in `keras_deeplab.heads.output.segmentation_output`.
        activation: Activation of the scores; None returns logits.
        name: Name of the model; the row's by default.

    Returns:
        A model from (batch, height, width, 3) to float32 scores of shape (batch, height, width,
        classes).
    """
    output_stride = output_stride or row.output_stride
    image = keras.Input(input_shape, name="image")
    x = image if preprocessing is None else normalize_image(image, preprocessing)
    options = {} if row.multi_grid == (1, 1, 1) else {"multi_grid": row.multi_grid}
    features = build_backbone(
        BACKBONES[row.backbone],
        x,
        output_stride=output_stride,
        batch_norm=batch_norm,
        **options,
    )
    scores = _HEADS[row.version](
        row,
        features,
        classes=len(class_names),
        output_stride=output_stride,
        align_corners=align_corners,
        batch_norm=batch_norm,
    )
    scores = segmentation_output(
        scores,
        image,
        class_names=class_names,
        align_corners=align_corners,
        crf=crf,
        activation=activation,
    )
    return keras.Model(image, scores, name=name or row.name)


__all__ = ["build_model"]
