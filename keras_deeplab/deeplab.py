"""The `DeepLab` factory, which builds a network and loads its weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_deeplab._startup import start_backend
from keras_deeplab._validation import check_choice, listed
from keras_deeplab.layers.segmentation_output import find_output
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.models.build_arguments import (
    check_input_shape,
    input_scales,
    resolve_class_names,
)
from keras_deeplab.models.saved_network import output_stride_of
from keras_deeplab.presets.crfs import CRFS
from keras_deeplab.presets.datasets import dataset_of
from keras_deeplab.presets.networks import DEEPLABS, is_head_layer
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights import all_layers, load_arrays
from keras_deeplab.weights.any_backbone import is_any_backbone, resolve_any_backbone
from keras_deeplab.weights.imagenet_backbones import load_imagenet
from keras_deeplab.weights.opening_checkpoint import ResolvedWeights
from keras_deeplab.weights.resolve import resolve_weights

_logger = logging.getLogger("keras_deeplab")


def DeepLab(  # noqa: N802 - a factory that reads like the class users expect
    weights: str | Path | None = None,
    *,
    version: str | None = None,
    backbone: str | keras.Model | None = None,
    variant: str | None = None,
    output_stride: int | None = None,
    classes: int | Sequence[str] | None = None,
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    batch_norm: str | None = None,
    multi_scale_inputs: Sequence[float] | None = None,
    crf: str | None = None,
    classifier_activation: str | None = None,
    include_preprocessing: bool = True,
    low_level: str | None = None,
    preprocessing: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a DeepLab network and loads its weights.

    Args:
        weights: None (random initialisation); "imagenet" (pretrained backbone, random head); the
            name of a dataset, such as "voc" (its recommended weights, or those that match
            `version` and `backbone`); a full name from `list_models()`; the path of a `.keras`
            file saved from a model of this function, which holds its backbone; or the path of
            another library's checkpoint that `keras_deeplab.convert` reads (`.pth`,
            `.safetensors`, `.tar.gz`, `.tflite`, ...). If `version` differs from that of a full
            name, only the backbone's weights are loaded.
        version: "v1", "v2", "v3" or "v3+". Default: that of the weights, else "v3".
        backbone: A backbone in `list_models()`: "mobilenet_v2", "resnet101", ... If the version
            supports only variants of it, the first one is used: "resnet101" with "v2" is
            "resnet101_caffe". Any functional model from images to features, or a classifier:
            `keras_deeplab.atrous` converts it, with copies of its weights and without layers that
            augment images. The name of a network of Keras, such as
            "keras.applications.ConvNeXtTiny", with random weights or those of ImageNet. Default:
            that of the weights, else the version's first.
        variant: Head of v2: "aspp_l", "aspp_s" or "large_fov" on VGG-16, "aspp" or "large_fov" on
            ResNet-101. Default: that of the weights, else the first.
        output_stride: Input pixels per feature pixel: 8, 16 or 32. Smaller values give finer masks
            and are slower; the same weights work at all. Default: that of the weights' training.
        classes: Number of classes, or their names by label id. If they differ from the classes of
            the weights, the classifier is initialised randomly and a log message says so.
            Default: the classes of the weights; without weights, the 21 classes of VOC.
        input_shape: (height, width, channels) of images; None for a dynamic height or width. With
            more than 3 channels, the first three are RGB, and the pretrained first kernel is zero
            for the others, so that scores start as those of the RGB network. With fewer, it is the
            sum over RGB, divided among the channels. Such networks are trained with `model.fit`
            and run with `model.predict`; photos, `segment` and `export` are RGB.
        batch_norm: "trainable" (for batches of 8 or more), or "frozen": training uses the stored
            statistics and changes no weight of batch norm. Networks with batch norm folded into
            the convolutions have none. Default: "trainable".
        multi_scale_inputs: Scales of the image, such as (0.5, 0.75, 1.0), at which the network
            runs with shared weights; the scores are fused by their maximum. The layers
            "scores_050", "scores_075", "scores_100" output the scores of each scale. () uses the
            original image only. Default: the scales that the weights were trained with.
        crf: Name of a preset of CRF parameters ("v2_resnet101", ...). Appends a trainable
            `keras_deeplab.layers.CRFAsRNN` layer named "crf", which requires
            `include_preprocessing=True`. Default: no CRF.
        classifier_activation: None for logits, "softmax" for probabilities, "sigmoid" for
            independent probabilities.
        include_preprocessing: True: the model takes RGB 0-255. False: it takes images normalised
            to -1..1.
        low_level: For v3+ on a model: the layer whose output the decoder takes. Default: the last
            one at stride 4.
        preprocessing: What a model takes: "tf" (-1..1), "torch" (ImageNet's mean and deviation),
            "caffe" (BGR, minus ImageNet's mean) or "none" (RGB 0-255). Default: that of the model
            of `keras.applications`, also inside the model; "none" if it starts with a `Rescaling`
            or `Normalization`, or with what `preprocess_input` of Keras does.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from images of shape (batch, height, width, channels), uint8 or
        float, to float32 scores of shape (batch, height, width, classes) at the size of the images.

    Raises:
        TypeError: If `classes` is neither a number nor a sequence of names.
        ValueError: If an argument is unknown, or no weights exist for the combination.
        FileNotFoundError: If `weights` is a path and the file does not exist.
        ConnectionError: If the weights cannot be downloaded.
        ModuleNotFoundError: If ImageNet weights come with a Python package that is not installed.

    Example:

    >>> model = DeepLab(classes=["background", "cat"])
    >>> model(keras.ops.zeros((1, 65, 97, 3))).shape
    TensorShape([1, 65, 97, 2])

    Reference:
        Chen et al., arXiv:1606.00915 (v2), arXiv:1706.05587 (v3).
    """
    start_backend()
    check_choice("classifier_activation", classifier_activation, (None, "softmax", "sigmoid"))
    check_input_shape(input_shape)
    if crf is not None:
        check_choice("crf", crf, tuple(CRFS))
        if not include_preprocessing or input_shape[2] != 3:
            raise ValueError(
                f"A network with a CRF must take RGB 0-255. Received: input_shape={input_shape!r} "
                f"and include_preprocessing={include_preprocessing} with crf={crf!r}. Use DenseCRF "
                f"on the outputs and an RGB image instead."
            )
    if is_any_backbone(backbone):
        start = resolve_any_backbone(
            weights,
            version,
            backbone,
            variant,
            low_level=low_level,
            preprocessing=preprocessing,
            include_preprocessing=include_preprocessing,
        )
    elif low_level or preprocessing:
        raise ValueError(
            f"low_level and preprocessing are for a keras.Model as the backbone. Received: "
            f"low_level={low_level!r} and preprocessing={preprocessing!r} with "
            f"backbone={backbone!r}."
        )
    else:
        start = resolve_weights(weights, version, backbone, variant)
    class_names = resolve_class_names(classes, start.class_names)
    options = replace(
        start.options,
        output_stride=output_stride or start.options.output_stride,
        preprocessing=start.options.preprocessing if include_preprocessing else None,
        **_batch_norm(batch_norm, start.options, start.source),
        multi_scale_inputs=input_scales(multi_scale_inputs, start.options.multi_scale_inputs),
        inference_size=_inference_size(class_names, start),
    )
    model = build_model(
        start.row,
        class_names=class_names,
        options=options,
        input_shape=input_shape,
        network=start.network,
        crf=crf,
        activation=classifier_activation,
        name=name,
    )
    if start.imagenet:
        load_imagenet(model, start.row.backbone)
    if start.arrays is not None:
        fresh = _fresh_layers(model, start, class_names)
        load_arrays(model, start.arrays, source=start.source, fresh=(*fresh, "crf"))
    # A training run is resumed with the same initial weights only.
    model.deeplab_weights = Path(start.source).name or ("imagenet" if start.imagenet else "none")
    return model


def list_models() -> dict[str, list[str]]:
    """Lists every network with the names of its pretrained weights.

    Returns:
        Full names of weights, for `DeepLab(weights=...)`, by network.

    Example:

    >>> list_models()["deeplab_v3_mobilenet_v2"]
    ['deeplab_v3_mobilenet_v2.voc_trainaug']
    """
    return {
        network: [row.name for row in WEIGHTS.values() if row.network == network]
        for network in DEEPLABS
    }


def describe(model: keras.Model) -> str:
    """Describes a model of `DeepLab` in one line: a short form of `model.summary()`.

    Args:
        model: A model of `DeepLab`, also one that was saved and loaded.

    Returns:
        Name, parameters, classes, output stride, output, and the size photos are resized to fit.

    Raises:
        ValueError: If `DeepLab` did not build the model.

    Example:

    >>> print(describe(DeepLab(classes=["background", "cat"])))
    deeplab_v3_mobilenet_v2: 2.54 M parameters, 2 classes (background, cat), output stride 16,
    logits, photos fit 513x513
    """
    output = find_output(model)
    if output is None:
        raise ValueError(f"DeepLab() must have built the model. Received: {model.name!r}.")
    classes = output.class_names
    height, width = output.inference_size or dataset_of(classes).inference_size
    activation = output.activation.__name__
    return (
        f"{model.name}: {model.count_params() / 1e6:.2f} M parameters, {len(classes)} classes "
        f"({listed(classes, 4)}), output stride {output_stride_of(model)}, "
        f"{'logits' if activation == 'linear' else activation}, photos fit {height}x{width}"
    )


def _fresh_layers(
    model: keras.Model, start: ResolvedWeights, class_names: tuple[str, ...]
) -> list[str]:
    """Returns the layers that keep their random values, and logs them."""
    if not start.backbone_only and class_names == start.class_names:
        return []
    part = "" if start.backbone_only else "classifier"
    fresh = sorted(
        {x.name for x in all_layers(model) if is_head_layer(x.name) and x.name.startswith(part)}
    )
    if start.backbone_only:
        _logger.warning(
            "%s has another head: that of %s starts fresh with %d classes; train before use.",
            start.source,
            start.row.name,
            len(class_names),
        )
    else:
        some = f"the layers {', '.join(fresh)} start"
        _logger.warning(
            "%s was trained on %d other classes: %s fresh with %d; train before use.",
            start.source,
            len(start.class_names),
            some if len(fresh) > 1 else f"the layer {fresh[0]} starts",
            len(class_names),
        )
    return fresh


def _batch_norm(asked: str | None, stored: BuildOptions, source: str) -> dict[str, Any]:
    """Returns the options `batch_norm` and `head_batch_norm`: folded ones stay so."""
    if asked is not None:
        check_choice("batch_norm", asked, ("trainable", "frozen"))
    if asked == "trainable" and stored.batch_norm == "folded":
        raise ValueError(
            f"The weights must hold batch norm to train it. Received: batch_norm='trainable' with "
            f"{source}, where it is folded into the convolutions. Leave batch_norm out."
        )
    head = stored.head_batch_norm
    return {
        "batch_norm": "folded" if stored.batch_norm == "folded" else asked or stored.batch_norm,
        "head_batch_norm": head if head in (None, "folded") else asked or head,
    }


def _inference_size(class_names: tuple[str, ...], start: ResolvedWeights) -> tuple[int, int] | None:
    """Returns the size of the weights, or of the dataset if the classes are another dataset's."""
    another = class_names != start.class_names and dataset_of(class_names).name != "own"
    return None if another else start.options.inference_size
