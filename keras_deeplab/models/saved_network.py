"""Reads the parts of a network that `keras_deeplab.DeepLab` built, such as a saved one."""

from __future__ import annotations

import re
from typing import Any

import keras

from keras_deeplab.models.backbones.any_network import FITTED_IMAGE, AnyNetwork
from keras_deeplab.presets.networks import DeepLabRow, any_backbone_row

# The first layer of each head that takes the output of the backbone; that of v1 has others behind.
_FIRST_LAYERS = ("pool5a_pad", "aspp_0", "fc6_0", "classifier_0")
_SIDE = 4096


def output_stride_of(model: keras.Model) -> int:
    """Returns the input pixels per pixel of the features that the head takes."""
    inner = _inner(model)
    features = keras.Model(inner.input, _head_input(_layers(inner)))
    # Convolutions without padding shorten the map: the larger it is, the less they matter.
    shape = features.compute_output_shape((1, _SIDE, _SIDE, inner.input_shape[-1]))
    return round(_SIDE / shape[1])


def converted_row(model: keras.Model, name: str) -> DeepLabRow | None:
    """Returns the row of a network on a converted backbone from its name, or None for others."""
    parts = re.fullmatch(r"deeplab_(v1|v2|v3_plus|v3)_(\w+)", name)
    if parts is None:
        return None
    version, backbone = parts.groups()
    wide = version == "v2" and "aspp_sum" not in _layers(_inner(model))
    return any_backbone_row(version, backbone, "large_fov" if wide else None)


def converted_backbone(model: keras.Model) -> AnyNetwork:
    """Returns the backbone of a network on a converted one, with its weights and layer names."""
    inner = _inner(model)
    layers = _layers(inner)
    for layer in layers.values():
        # Whether it is frozen is an option of the new network.
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = True
    outputs = {"output": _head_input(layers)}
    low_level = None
    if "decoder_low_level" in layers:
        outputs["low_level"] = layers["decoder_low_level"].input
        low_level = outputs["low_level"]._keras_history.operation.name
    prepared = [layers[name].output for name in (FITTED_IMAGE, "preprocessing") if name in layers]
    image = prepared[0] if prepared else inner.input
    return AnyNetwork(
        keras.Model(image, outputs, name=model.name),
        low_level=low_level,
        needs_low_level=low_level is not None,
        keeps_names=True,
    )


def _inner(model: keras.Model) -> keras.Model:
    """Returns the network that runs on several scales, or the model itself."""
    return next((layer for layer in model.layers if layer.name == "network"), model)


def _layers(model: keras.Model) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _head_input(layers: dict[str, Any]) -> Any:
    return next(layers[name].input for name in _FIRST_LAYERS if name in layers)
