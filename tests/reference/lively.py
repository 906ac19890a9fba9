"""Random networks whose scores depend on the image, as those of trained networks do."""

from __future__ import annotations

import keras
import numpy as np


def pictures(rng: np.random.Generator, batch: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth colours: float32 images of shape (batch, height, width, 3), RGB 0-255."""
    coarse = rng.uniform(0, 255, (batch, 5, 5, 3)).astype("float32")
    return np.asarray(keras.ops.image.resize(coarse, size, interpolation="bilinear"))


def enliven(model: keras.Model) -> keras.Model:
    """Gives a network weights by which its labels differ from place to place.

    A new network's features hardly vary and its classifier is nearly zero: whatever its layers did,
    its scores would be the classifier's biases.
    """
    rng = np.random.default_rng(1)
    normalizations = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    classifiers = [layer for layer in model.layers if layer.name.startswith("classifier")]
    for layer in classifiers:
        kernel, bias = layer.get_weights()
        layer.set_weights([rng.normal(size=kernel.shape), np.zeros_like(bias)])
    images = pictures(rng, 4, (47, 62))
    # Batch norm takes the statistics of these images, and no class is ahead on all of them.
    model(images, training=True)
    kernel, _ = classifiers[0].get_weights()
    means = np.asarray(model(images)).mean((0, 1, 2))
    classifiers[0].set_weights([kernel, -means])
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum
    return model
