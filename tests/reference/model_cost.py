"""What a network costs: parameters and multiply-adds, counted on the built model."""

from __future__ import annotations

import math

import keras

from keras_deeplab.presets.costs import Cost


def model_cost(model: keras.Model) -> Cost:
    """Counts a model's parameters and the multiply-adds of its convolutions.

    Parameters are all weights but batch norm's statistics. Of the work, convolutions are counted;
    batch norm folds into them, and the rest is small beside them.

    Args:
        model: A model with a fixed input size.

    Returns:
        The cost of one image.

    Raises:
        ValueError: If the model's height or width is free.

    Example:

    >>> image = keras.Input((4, 4, 3))
    >>> model_cost(keras.Model(image, keras.layers.Conv2D(8, 1)(image)))
    Cost(parameters=32, multiply_adds=384)
    """
    if None in model.input_shape[1:]:
        raise ValueError(
            f"The model must have a fixed input size. Received: {model.input_shape}. Build it with "
            f"input_shape=(height, width, 3)."
        )
    parameters = sum(
        math.prod(weight.shape)
        for layer in model.layers
        for weight in layer.weights
        if not weight.path.rpartition("/")[2].startswith(("moving_", "seed_generator"))
    )
    multiply_adds = sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
        for layer in model.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
    )
    return Cost(parameters, multiply_adds)
