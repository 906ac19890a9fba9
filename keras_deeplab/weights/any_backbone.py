"""Resolves networks without a preset as backbones: models, and names in keras.applications."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_deeplab._validation import check_choice, suggestion
from keras_deeplab.models import BuildOptions
from keras_deeplab.models.backbones.any_network import AnyNetwork
from keras_deeplab.models.rewriting import check_image_model
from keras_deeplab.models.rewriting.layer_kinds import is_augmentation
from keras_deeplab.presets.applications import FUNCTIONS, INPUT_SIZES, find_preprocessing
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import any_backbone_row
from keras_deeplab.weights.imagenet_backbones import trained_application
from keras_deeplab.weights.opening_checkpoint import ResolvedWeights
from keras_deeplab.weights.resolve import from_file, with_any_backbone

_PREFIX = "keras.applications."
# From the modes of keras.applications to ours; it takes its "caffe" images in BGR order.
_MODES = {"tf": "tf", "torch": "torch", "caffe": "caffe_keras", "none": "none"}
_SCALING = (keras.layers.Rescaling, keras.layers.Normalization)


def is_any_backbone(backbone: Any) -> bool:
    """Returns whether a backbone is a model or the name of one in keras.applications.

    Raises:
        TypeError: If it is neither a name nor a model.
        ValueError: If it is such a name without ``keras.applications.`` before it.
    """
    if backbone is not None and not isinstance(backbone, (str, keras.Model)):
        raise TypeError(
            f"backbone must be a name or a functional keras.Model. Received: {backbone!r}. Call "
            f"functions and classes first, such as keras.applications.VGG16(include_top=False)."
        )
    if backbone in FUNCTIONS:
        raise ValueError(
            f"backbone must be a name in list_models() or in keras.applications. Received: "
            f"backbone={backbone!r}. Did you mean {_PREFIX + str(backbone)!r}?"
        )
    return isinstance(backbone, keras.Model) or str(backbone).startswith(_PREFIX)


def resolve_any_backbone(
    weights: str | Path | None,
    version: str | None,
    backbone: keras.Model | str,
    variant: str | None,
    *,
    low_level: str | None,
    preprocessing: str | None,
    include_preprocessing: bool,
) -> ResolvedWeights:
    """Resolves the arguments of `keras_deeplab.DeepLab` for a backbone without a preset.

    Raises:
        TypeError: If the backbone is not a functional model.
        ValueError: If a name is unknown, or the preprocessing is not known.
        FileNotFoundError: If ``weights`` is a path and the file does not exist.
        ConnectionError: If ImageNet weights cannot be downloaded.
    """
    version = {None: "v3", "v3+": "v3_plus"}.get(version, version)
    check_choice("version", version, ("v1", "v2", "v3", "v3+", "v3_plus"))
    if low_level is not None and version != "v3_plus":
        raise ValueError(
            f"low_level is for version 'v3+'. Received: low_level={low_level!r} with "
            f"version={version!r}."
        )
    if isinstance(backbone, str):
        model, name = _application(backbone, weights), backbone.removeprefix(_PREFIX)
        mode = preprocessing or FUNCTIONS[name]
    else:
        check_image_model(backbone)
        model, name = backbone, backbone.name
        if weights == "imagenet":
            raise ValueError(
                "weights must be None or a .keras file for a model as the backbone, which has its "
                "weights. Received: weights='imagenet'. Create the model with them, or give its "
                f"name: backbone='{_PREFIX}ResNet50'."
            )
        mode = preprocessing or _preprocessing(backbone)
    check_choice("preprocessing", mode, tuple(_MODES))
    row = any_backbone_row(str(version), name, variant)
    network = AnyNetwork(
        model,
        low_level=low_level,
        needs_low_level=version == "v3_plus",
        reverse_channels=mode == "caffe" and include_preprocessing,
    )
    own = mode == "none" and any(isinstance(x, _SCALING) for x in model._flatten_layers())
    options = BuildOptions(preprocessing=None if own else _MODES[mode])
    if weights in (None, "imagenet"):
        return ResolvedWeights(
            row,
            DATASETS["voc"].class_names,
            options,
            source=str(weights or ""),
            network=network,
        )
    path = Path(str(weights)).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"weights must be None, 'imagenet' or an existing file with this backbone. Received: "
            f"weights={str(weights)!r} with the backbone {name!r}."
        )
    start = from_file(path, [row])
    options = replace(with_any_backbone(start.options), preprocessing=options.preprocessing)
    return replace(start, options=options, network=network)


def _application(backbone: str, weights: Any) -> keras.Model:
    name = backbone.removeprefix(_PREFIX)
    if name not in FUNCTIONS or not hasattr(keras.applications, name):
        raise ValueError(
            f"backbone must be a network of keras.applications behind {_PREFIX!r}: "
            f"{', '.join(FUNCTIONS)}. Received: backbone={backbone!r}.{suggestion(name, FUNCTIONS)}"
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"The networks of keras.applications must be built with channels last. Received: "
            f"image_data_format={keras.config.image_data_format()!r}. Call "
            f"keras.config.set_image_data_format('channels_last')."
        )
    options: dict[str, Any] = {"include_top": False}
    if name in INPUT_SIZES:
        options["input_shape"] = (*INPUT_SIZES[name], 3)
    if weights == "imagenet":
        return trained_application(name, **options)
    return getattr(keras.applications, name)(**options, weights=None)


def _preprocessing(model: keras.Model) -> str:
    found = _find_preprocessing(model)
    if found:
        return found
    raise ValueError(
        f"preprocessing must be given for a network that is not known: 'tf' (scaled to -1..1), "
        f"'torch' (ImageNet's mean and deviation), 'caffe' (BGR, minus ImageNet's mean) or 'none' "
        f"(RGB 0-255). Received: preprocessing=None with the model {model.name!r}."
    )


def _find_preprocessing(model: keras.Model) -> str | None:
    """Returns what a network takes, by its name or by what it does with the image first."""
    found = find_preprocessing(model.name)
    if found:
        return found
    for step in getattr(model, "operations", model.layers):
        if _changes_nothing(step):
            continue
        if isinstance(step, keras.Model):
            return _find_preprocessing(step)
        return "none" if isinstance(step, _SCALING) or _scales_levels(step) else None
    return None


def _changes_nothing(step: Any) -> bool:
    """Returns whether a step is the input, or augmentation."""
    if isinstance(step, keras.Model):
        return all(map(_changes_nothing, step.layers))
    return isinstance(step, keras.layers.InputLayer) or is_augmentation(step)


def _scales_levels(operation: Any) -> bool:
    """Returns whether an operation is the first one of a `preprocess_input` of Keras."""
    arguments = operation._inbound_nodes[0].arguments.args if operation._inbound_nodes else ()
    name = type(operation).__name__
    if name in ("TrueDivide", "Divide"):
        return any(isinstance(x, (int, float)) and x > 127 for x in arguments[1:])
    # "caffe" reverses the channels.
    return name == "GetItem"
