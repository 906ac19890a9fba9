"""Complete networks: from a row of the presets to a functional `keras.Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras

from keras_deeplab._validation import check_choice
from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.models.blocks import normalize_image
from keras_deeplab.models.deeplab_v1 import deeplab_v1
from keras_deeplab.models.deeplab_v2 import deeplab_v2
from keras_deeplab.models.deeplab_v3 import deeplab_v3
from keras_deeplab.models.deeplab_v3_plus import deeplab_v3_plus
from keras_deeplab.models.heads.head_options import HeadOptions
from keras_deeplab.models.heads.output import segmentation_output
from keras_deeplab.models.multi_scale import multi_scale
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.networks import DeepLabRow
from keras_deeplab.presets.weights_row import WeightsRow

_HEADS: dict[str, Callable[..., Any]] = {
    "v1": deeplab_v1,
    "v2": deeplab_v2,
    "v3": deeplab_v3,
    "v3_plus": deeplab_v3_plus,
}


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a network is built so that given weights do what they were trained for.

    Attributes:
        output_stride: Input pixels per feature pixel; None: the row's.
        preprocessing: How RGB 0-255 is normalised: "tf" (to -1..1), "torch" (by ImageNet's mean and
            deviation) or "caffe" (ImageNet's mean subtracted); None expects the image normalised.
        align_corners: Grid of the bilinear resizes.
        batch_norm: "trainable"; "frozen" (always its stored statistics); or "folded" (none: the
            convolutions carry a bias instead).
        head_batch_norm: The same for the head; None: as the backbone's.
        multi_scale_inputs: Scales of the image to run on, whose scores are fused by their maximum;
            the layers then lie in one inner model that is called "network". Empty: the image as it
            is.
        inference_size: (height, width) that the network does best on photos fitted into; None:
            that of the dataset of its classes.
    """

    output_stride: int | None = None
    preprocessing: str | None = "tf"
    align_corners: bool = False
    batch_norm: str = "trainable"
    head_batch_norm: str | None = None
    multi_scale_inputs: tuple[float, ...] = ()
    inference_size: tuple[int, int] | None = None

    @classmethod
    def published(cls, row: WeightsRow) -> BuildOptions:
        """Returns those of published weights."""
        return cls(**{field.name: getattr(row, field.name) for field in _PUBLISHED})


_PUBLISHED = [field for field in fields(BuildOptions) if field.name != "head_batch_norm"]


def build_model(
    row: DeepLabRow,
    *,
    class_names: Sequence[str],
    options: BuildOptions = BuildOptions(),
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    crf: str | None = None,
    activation: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a network: normalisation, backbone, the version's head, upsampling to the image.

    Args:
        row: Backbone and head.
        class_names: Names by label id; their number is the number of classes.
        options: How its weights want it built.
        input_shape: (height, width, 3); None leaves a side free.
        crf: Name of the CRF parameters to end in a `CRFAsRNN` layer with, or None.
        activation: Activation of the scores; None returns logits.
        name: Name of the model; the row's by default.

    Returns:
        A model from (batch, height, width, 3) to float32 scores of shape (batch, height, width,
        classes).

    Raises:
        ValueError: If the network can't be built at the output stride.
    """
    output_stride = options.output_stride or row.output_stride
    check_choice("output_stride", output_stride, row.output_strides)
    head = HeadOptions(
        classes=len(class_names),
        output_stride=output_stride,
        align_corners=options.align_corners,
        batch_norm=options.head_batch_norm or options.batch_norm,
    )
    image = keras.Input(input_shape, name="image")
    x = image
    if options.preprocessing is not None:
        x = normalize_image(image, options.preprocessing)
    if options.multi_scale_inputs:
        inner = keras.Input((None, None, 3), name="scaled_image")
        scores = _scores(inner, row, head, options.batch_norm)
        scores = multi_scale(
            keras.Model(inner, scores, name="network"),
            x,
            scales=options.multi_scale_inputs,
            align_corners=options.align_corners,
        )
    else:
        scores = _scores(x, row, head, options.batch_norm)
    scores = segmentation_output(
        scores,
        image,
        class_names=class_names,
        align_corners=options.align_corners,
        crf=crf,
        activation=activation,
        inference_size=options.inference_size,
    )
    return keras.Model(image, scores, name=name or row.name)


def _scores(x: Any, row: DeepLabRow, head: HeadOptions, batch_norm: str) -> Any:
    multi_grid = {} if row.multi_grid == (1, 1, 1) else {"multi_grid": row.multi_grid}
    features = build_backbone(
        BACKBONES[row.backbone],
        x,
        output_stride=head.output_stride,
        batch_norm=batch_norm,
        **multi_grid,
    )
    return _HEADS[row.version](row, features, head)
