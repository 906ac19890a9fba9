"""Complete networks: from a row of the presets to a functional `keras.Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.models.blocks import normalize_image
from keras_deeplab.models.deeplab_v1 import deeplab_v1
from keras_deeplab.models.deeplab_v2 import deeplab_v2
from keras_deeplab.models.deeplab_v3 import deeplab_v3
from keras_deeplab.models.deeplab_v3_plus import deeplab_v3_plus
from keras_deeplab.models.heads.output import segmentation_output
from keras_deeplab.models.multi_scale import multi_scale
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DeepLabRow

_HEADS: dict[str, Callable[..., Any]] = {
    "v1": deeplab_v1,
    "v2": deeplab_v2,
    "v3": deeplab_v3,
    "v3_plus": deeplab_v3_plus,
}


def build_model(
    row: DeepLabRow,
    *,
    class_names: Sequence[str],
    output_stride: int | None = None,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    preprocessing: str | None = "tf",
    align_corners: bool = False,
    batch_norm: str = "trainable",
    head_batch_norm: str | None = None,
    multi_scale_inputs: Sequence[float] = (),
    crf: str | None = None,
    activation: str | None = None,
    inference_size: tuple[int, int] | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a network: normalisation, backbone, the version's head, upsampling to the image.

    Args:
        row: Backbone and head.
        class_names: Names by label id; their number is the number of classes.
        output_stride: Input pixels per feature pixel; the row's by default.
        input_shape: (height, width, 3); None leaves a side free.
        preprocessing: As in `keras_deeplab.models.blocks.normalize_image`; None expects the image
            normalised.
        align_corners: Grid of the bilinear resizes.
        batch_norm: As in `keras_deeplab.models.blocks.conv_bn`.
        head_batch_norm: The same for the head; as the backbone's by default.
        multi_scale_inputs: Scales of the image to run on, as in
            `keras_deeplab.models.multi_scale.multi_scale`; the layers then lie in one inner model
            that is called "network". Empty: the image as it is.
        crf: As in `keras_deeplab.models.heads.output.segmentation_output`.
        activation: Activation of the scores; None returns logits.
        inference_size: As in `keras_deeplab.layers.SegmentationOutput`.
        name: Name of the model; the row's by default.

    Returns:
        A model from (batch, height, width, 3) to float32 scores of shape (batch, height, width,
        classes).
    """
    output_stride = output_stride or row.output_stride
    image = keras.Input(input_shape, name="image")
    x = image if preprocessing is None else normalize_image(image, preprocessing)
    common: dict[str, Any] = dict(
        row=row,
        classes=len(class_names),
        output_stride=output_stride,
        align_corners=align_corners,
        batch_norm=batch_norm,
        head_batch_norm=head_batch_norm or batch_norm,
    )
    if multi_scale_inputs:
        inner = keras.Input((None, None, 3), name="scaled_image")
        scores = _scores(inner, **common)
        network = keras.Model(inner, scores, name="network")
        scores = multi_scale(network, x, scales=multi_scale_inputs, align_corners=align_corners)
    else:
        scores = _scores(x, **common)
    scores = segmentation_output(
        scores,
        image,
        class_names=class_names,
        align_corners=align_corners,
        crf=crf,
        activation=activation,
        inference_size=inference_size,
    )
    return keras.Model(image, scores, name=name or row.name)


def _scores(
    x: Any,
    *,
    row: DeepLabRow,
    classes: int,
    output_stride: int,
    align_corners: bool,
    batch_norm: str,
    head_batch_norm: str,
) -> Any:
    options = {} if row.multi_grid == (1, 1, 1) else {"multi_grid": row.multi_grid}
    features = build_backbone(
        BACKBONES[row.backbone],
        x,
        output_stride=output_stride,
        batch_norm=batch_norm,
        **options,
    )
    return _HEADS[row.version](
        row,
        features,
        classes=classes,
        output_stride=output_stride,
        align_corners=align_corners,
        batch_norm=head_batch_norm,
    )
