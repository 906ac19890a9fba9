"""Assigns arrays to a model by layer name, and checks that no weight is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import keras
import numpy as np

from keras_deeplab._validation import listed
from keras_deeplab.models.blocks import kernel_for_channels


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model, with inner models replaced by their layers."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns the weights of a model and its inner models by "layer/variable"."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in all_layers(model)
        for variable in layer.weights
        if "seed_generator" not in variable.path
    }


def load_arrays(
    model: keras.Model,
    arrays: dict[str, np.ndarray],
    *,
    source: str,
    fresh: Collection[str] = (),
) -> None:
    """Assigns each array to the weight with its name; every weight must have one array.

    Args:
        model: The model to set the weights of.
        arrays: Arrays by "layer/variable".
        source: Origin of the arrays, for error messages.
        fresh: Names of layers that keep their current values; their arrays are ignored.

    The first kernel of an RGB network is adapted to a model of other channels: zero for those after
    RGB; with fewer, its sum over RGB, divided among the channels.

    Raises:
        ValueError: If a weight has no array, an array has no weight, shapes differ, or a value is
            not finite. In this case no weight is changed.
    """
    weights = {
        key: variable
        for key, variable in named_weights(model).items()
        if key.partition("/")[0] not in fresh
    }
    arrays = {key: a for key, a in arrays.items() if key.partition("/")[0] not in fresh}
    missing = sorted(weights.keys() - arrays.keys())
    unused = sorted(arrays.keys() - weights.keys())
    if missing or unused:
        raise ValueError(
            f"The weights must be those of {model.name!r}. Received: {source}, which lacks "
            f"{listed(missing, 3) or 'none'}, and has {listed(unused, 3) or 'none'} besides. "
            f"Choose the version and backbone that the file was made for."
        )
    channels = model.input_shape[-1]
    arrays = {
        key: kernel_for_channels(array, weights[key].shape, channels)
        for key, array in arrays.items()
    }
    for key, array in arrays.items():
        if tuple(weights[key].shape) != array.shape:
            raise ValueError(
                f"{key} must have shape {tuple(weights[key].shape)}. Received: shape {array.shape} "
                f"from {source}. Choose the version and backbone that the file was made for."
            )
        if not np.isfinite(array).all():
            raise ValueError(
                f"Weights must be finite. Received: {source}, where {key} holds NaN or infinite "
                f"values. Its training diverged: take an earlier checkpoint."
            )
    for key, array in arrays.items():
        weights[key].assign(array)
