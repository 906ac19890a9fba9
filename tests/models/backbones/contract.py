"""What every backbone must keep; its own tests call these."""

from __future__ import annotations

import keras
import numpy as np

from keras_deeplab.models.backbones import build_backbone
from keras_deeplab.presets.backbone_row import BackboneRow


def build(row: BackboneRow, output_stride: int, **options) -> keras.Model:
    image = keras.Input((None, None, 3))
    features = build_backbone(
        row, image, output_stride=output_stride, batch_norm="trainable", **options
    )
    return keras.Model(image, {name: feature.tensor for name, feature in features.items()})


def randomize(model: keras.Model, rng: np.random.Generator) -> None:
    """Gives batch norm statistics that differ from the identity."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, weight.shape)
                    if weight.name in ("gamma", "moving_variance")
                    else rng.normal(0, 0.3, weight.shape)
                    for weight in layer.weights
                ]
            )


def check_contract(row: BackboneRow) -> None:
    """Strides are those that the features say, and there is one at stride 4."""
    image = keras.Input((97, 161, 3))
    for output_stride in (8, 16, 32):
        features = build_backbone(row, image, output_stride=output_stride, batch_norm="trainable")
        for feature in features.values():
            assert feature.tensor.shape[1:3] == (
                -(-97 // feature.stride),
                -(-161 // feature.stride),
            )
        assert features["output"].stride == output_stride
        assert any(feature.stride == 4 for feature in features.values())


def check_atrous_consistency(
    row: BackboneRow,
    rng: np.random.Generator,
    *,
    sizes: tuple[int, ...] = (96, 97),
    feature: str = "output",
    coarsest: int = 32,
    tolerance: float = 1e-4,
    **options,
) -> None:
    """With the same weights, dense features subsampled equal the strided network's.

    `coarsest` is the feature's stride at output stride 32. The tolerance, a part of the largest
    value, is that of float32 through some fifty convolutions in another order of summation.
    """
    strided = build(row, 32, **options)
    randomize(strided, rng)
    images = [rng.normal(0, 1, (1, size, size, 3)).astype("float32") for size in sizes]
    expected = [np.asarray(strided(image)[feature]) for image in images]
    for output_stride in (8, 16):
        atrous = build(row, output_stride, **options)
        atrous.set_weights(strided.get_weights())
        step = coarsest // output_stride
        for image, features in zip(images, expected, strict=True):
            assert features.std() > 0
            dense = np.asarray(atrous(image)[feature])[:, ::step, ::step]
            assert np.abs(dense - features).max() < tolerance * np.abs(features).max()
