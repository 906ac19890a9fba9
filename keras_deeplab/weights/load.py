"""Puts arrays into a model by layer name, accounting for every weight."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import keras
import numpy as np

from keras_deeplab._validation import listed


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields a model's layers, and in place of an inner model the layers of that."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns a model's weights by "layer/variable", those of inner models too."""
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
    """Assigns every array to the weight of its name, and every weight one array.

    Args:
        model: A model whose weights are to be set.
        arrays: Arrays by "layer/variable".
        source: Where the arrays come from, for error messages.
        fresh: Names of layers that keep the values they have; their arrays are passed over.

    Raises:
        ValueError: If a weight has no array, an array no weight, or shapes differ. Nothing is
            assigned then.
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
    for key, array in arrays.items():
        if tuple(weights[key].shape) != array.shape:
            raise ValueError(
                f"{key} must have shape {tuple(weights[key].shape)}. Received: shape {array.shape} "
                f"from {source}. Choose the version and backbone that the file was made for."
            )
    for key, array in arrays.items():
        weights[key].assign(array)
