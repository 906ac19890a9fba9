"""Through `DeepLab`, with presets of normalisation: tests/weights/test_any_backbone.py."""

import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.any_network import AnyNetwork


@pytest.fixture
def own() -> keras.Model:
    """A network of stride 32 with a layer at each stride, two of them with reserved names."""
    x = image = keras.Input((None, None, 3))
    for name in ("two", "four", "output", "image", "thirty_two"):
        x = keras.layers.Conv2D(4, 3, 2, padding="same", activation="relu", name=name)(x)
    return keras.Model(image, x, name="own")


def test_features_and_low_level(own: keras.Model, rng):
    image = keras.Input((64, 64, 3))
    network = AnyNetwork(own, needs_low_level=True)
    features = network.features(image, output_stride=32, batch_norm="trainable")
    assert [(f.stride, f.tensor.shape[-1]) for f in features.values()] == [(32, 4), (4, 4)]
    model = keras.Model(image, [features["output"].tensor, features["low_level"].tensor])
    x = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    output, low_level = model(x)
    np.testing.assert_allclose(output, own(x), atol=1e-5)
    tap = keras.Model(own.input, own.get_layer("four").output)
    np.testing.assert_allclose(low_level, tap(x), atol=1e-5)
    # Names that the complete network needs are prefixed.
    names = {layer.name for layer in model.layers}
    assert {"two", "four", "backbone_output", "backbone_image", "thirty_two"} <= names


def test_dense_features_are_the_strided_ones(own: keras.Model, rng):
    x = rng.normal(size=(1, 65, 65, 3)).astype("float32")
    image = keras.Input((65, 65, 3))
    feature = AnyNetwork(own).features(image, output_stride=8, batch_norm="trainable")["output"]
    assert feature.stride == 8
    dense = np.asarray(keras.Model(image, feature.tensor)(x))
    np.testing.assert_allclose(dense[:, ::4, ::4], own(x), atol=1e-5)


def test_bgr_networks_take_rgb(own: keras.Model, rng):
    x = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    image = keras.Input((64, 64, 3))
    network = AnyNetwork(own, reverse_channels=True)
    feature = network.features(image, output_stride=32, batch_norm="trainable")["output"]
    np.testing.assert_allclose(
        keras.Model(image, feature.tensor)(x), own(x[..., ::-1].copy()), atol=1e-5
    )


def test_low_level_layers_that_do_not_exist(own: keras.Model):
    image = keras.Input((64, 64, 3))
    network = AnyNetwork(own, low_level="fuor", needs_low_level=True)
    with pytest.raises(ValueError, match="low_level='fuor'. Did you mean 'four'"):
        network.features(image, output_stride=16, batch_norm="trainable")
