"""Batch norm, folded into the convolutions before it."""

from __future__ import annotations

import keras
import numpy as np

from keras_deeplab.weights.load import all_layers, named_weights


def folded_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns the weights of the same network without batch norm, by "layer/variable"."""
    arrays = {name: np.asarray(variable) for name, variable in named_weights(model).items()}
    layers = {layer.name: layer for layer in all_layers(model)}
    for name, norm in layers.items():
        if not isinstance(norm, keras.layers.BatchNormalization):
            continue
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (arrays.pop(f"{name}/{part}") for part in parts)
        scale = gamma / np.sqrt(variance + norm.epsilon)
        conv = name.removesuffix("_bn")
        depthwise = isinstance(layers[conv], keras.layers.DepthwiseConv2D)
        kernel = arrays[f"{conv}/kernel"]
        arrays[f"{conv}/kernel"] = kernel * (scale[:, None] if depthwise else scale)
        arrays[f"{conv}/bias"] = beta - mean * scale
    return arrays
