"""Builds complete networks from presets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras

from keras_deeplab._validation import check_choice
from keras_deeplab.models.backbones.any_network import AnyNetwork
from keras_deeplab.models.backbones.families import build_backbone
from keras_deeplab.models.blocks import normalize_image
from keras_deeplab.models.heads.output import segmentation_output
from keras_deeplab.models.heads.versions import HEADS, HeadOptions
from keras_deeplab.models.multi_scale import multi_scale
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.checkpoints import CheckpointRow
from keras_deeplab.presets.networks import DeepLabRow


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Options of a network that depend on how its weights were trained.

    Attributes:
        output_stride: Input pixels per feature pixel. None: that of the preset.
        preprocessing: Normalisation of RGB 0-255: "tf" (to -1..1), "torch" (with ImageNet's mean
            and standard deviation), "caffe" (minus ImageNet's mean as in DeepLab v2) or
            "caffe_keras" (minus that of keras.applications). None: the input is already normalised.
        align_corners: Grid of the bilinear resizes.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead).
        head_batch_norm: Batch norm of the head: "trainable", "frozen" or "folded". None: the same
            as for the backbone.
        multi_scale_inputs: Scales of the image, whose scores are fused by their maximum. The layers
            are then in an inner model named "network". Empty: only the original image.
        multi_scale_grid: Pixels at which the image is sampled for a scale: "size", the image's size
            divided by the rounded one, or "factor", exactly 1 / scale apart. Both are the same
            with ``align_corners``.
        inference_size: Recommended (height, width) that photos are resized to fit. None: that of
            the dataset of its classes.
        padding: Zeros around the backbone's strided convolutions: "symmetric", or "tensorflow",
            which pads the top and left less at even sizes. Only MobileNets and EfficientNet-Lite
            have both.
    """

    output_stride: int | None = None
    preprocessing: str | None = "tf"
    align_corners: bool = False
    batch_norm: str = "trainable"
    head_batch_norm: str | None = None
    multi_scale_inputs: tuple[float, ...] = ()
    multi_scale_grid: str = "size"
    inference_size: tuple[int, int] | None = None
    padding: str = "symmetric"

    @classmethod
    def published(cls, row: CheckpointRow) -> BuildOptions:
        """Returns the options that the networks of a reader, or of a file, were trained with."""
        return cls(**{field.name: getattr(row, field.name) for field in _PUBLISHED})


_PUBLISHED = [field for field in fields(BuildOptions) if field.name != "head_batch_norm"]


def build_model(
    row: DeepLabRow,
    *,
    class_names: Sequence[str],
    options: BuildOptions = BuildOptions(),
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    network: AnyNetwork | None = None,
    crf: str | None = None,
    activation: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a network: normalisation, backbone, head, upsampling to the image size.

    Args:
        row: Preset of the network: backbone and head.
        class_names: Names by label id; their number is the number of classes.
        options: Options that depend on the weights.
        input_shape: (height, width, channels); None for a dynamic side.
        network: Backbone instead of that of the preset.
        crf: Name of a preset of CRF parameters; appends a `CRFAsRNN` layer. None: no CRF.
        activation: Activation of the scores; None returns logits.
        name: Name of the model. Default: the name of the preset.

    Returns:
        A model from (batch, height, width, channels) to float32 scores of shape (batch, height,
        width, classes).

    Raises:
        ValueError: If there is no class, or the network does not support the output stride.
    """
    if not class_names:
        raise ValueError(
            "A network must have a class. Received: class_names=(). A checkpoint without a "
            "classifier is not a segmentation network."
        )
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
        inner = keras.Input((None, None, input_shape[-1]), name="scaled_image")
        scores = multi_scale(
            keras.Model(inner, _scores(inner, row, head, options, network), name="network"),
            x,
            scales=options.multi_scale_inputs,
            grid=options.multi_scale_grid,
            align_corners=options.align_corners,
        )
    else:
        scores = _scores(x, row, head, options, network)
    scores = segmentation_output(
        scores,
        image,
        class_names=class_names,
        align_corners=options.align_corners,
        crf=crf,
        activation=activation,
        inference_size=options.inference_size,
        network=row.name,
    )
    return keras.Model(image, scores, name=name or row.name)


def _scores(
    x: Any,
    row: DeepLabRow,
    head: HeadOptions,
    options: BuildOptions,
    network: AnyNetwork | None,
) -> Any:
    if network is not None:
        features = network.features(
            x, output_stride=head.output_stride, batch_norm=options.batch_norm
        )
    else:
        # Only families that have an option know it.
        special = {
            name: value
            for name, value, usual in (
                ("multi_grid", row.multi_grid, (1, 1, 1)),
                ("dilates_first", row.dilates_first, False),
                ("padding", options.padding, "symmetric"),
            )
            if value != usual
        }
        features = build_backbone(
            BACKBONES[row.backbone],
            x,
            output_stride=head.output_stride,
            batch_norm=options.batch_norm,
            **special,
        )
    return HEADS[row.version](row, features, head)
