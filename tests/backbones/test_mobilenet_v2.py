from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.backbones.mobilenet_v2 import mobilenet_v2, scaled_channels
from keras_deeplab.tables.backbones import BACKBONES

ROW = BACKBONES["mobilenet_v2"]
NARROW = replace(ROW, depth_multiplier=0.25)


def build(row, output_stride: int) -> keras.Model:
    image = keras.Input((None, None, 3))
    features = mobilenet_v2(row, image, output_stride=output_stride)
    return keras.Model(image, {name: feature.tensor for name, feature in features.items()})


def randomize(model: keras.Model, rng: np.random.Generator) -> None:
    """Gives batch norm statistics that differ from the identity."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, shape),
                    rng.normal(0, 0.3, shape),
                    rng.normal(0, 0.3, shape),
                    rng.uniform(0.5, 1.5, shape),
                ]
            )


def test_contract_tells_the_true_stride_and_channels():
    image = keras.Input((96, 160, 3))
    for output_stride in (8, 16, 32):
        for feature in mobilenet_v2(ROW, image, output_stride=output_stride).values():
            height, width, channels = feature.tensor.shape[1:]
            assert (height, width) == (96 // feature.stride, 160 // feature.stride)
            assert channels == feature.channels
    assert feature.stride == 32
    assert feature.channels == 320


@pytest.mark.parametrize("size", [96, 97])
def test_atrous_consistency(size: int, rng: np.random.Generator):
    """With the same weights, dense features subsampled equal the strided network's."""
    strided = build(NARROW, 32)
    randomize(strided, rng)
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    expected = strided(image)["output"]
    for output_stride in (8, 16):
        atrous = build(NARROW, output_stride)
        atrous.set_weights(strided.get_weights())
        step = 32 // output_stride
        dense = atrous(image)["output"][:, ::step, ::step]
        # float32 through 52 convolutions in another order of summation.
        np.testing.assert_allclose(dense, expected, rtol=1e-4, atol=1e-5)


def test_equals_keras_applications_at_an_odd_size(rng: np.random.Generator):
    """An independent implementation; at 97 pixels its padding is symmetric too."""
    peer = keras.applications.MobileNetV2((97, 97, 3), include_top=False, weights=None)
    peer = keras.Model(peer.input, peer.get_layer("block_16_project_BN").output)
    randomize(peer, rng)
    ours = build(ROW, 32)
    ours.set_weights(peer.get_weights())
    image = rng.normal(0, 1, (1, 97, 97, 3)).astype("float32")
    expected = np.asarray(peer(image))
    difference = np.abs(ours(image)["output"] - expected).max() / np.abs(expected).max()
    assert difference < 1e-5


@pytest.mark.parametrize(
    ("channels", "multiplier", "divisor", "expected"),
    [(24, 0.5, 8, 16), (24, 0.5, 1, 12), (16, 0.35, 8, 8), (320, 1.4, 8, 448), (32, 0.1, 1, 3)],
)
def test_scaled_channels(channels: int, multiplier: float, divisor: int, expected: int):
    assert scaled_channels(channels, multiplier=multiplier, divisor=divisor) == expected


def test_half_width_of_the_published_network_is_not_rounded_to_8():
    features = mobilenet_v2(BACKBONES["mobilenet_v2_050"], keras.Input((32, 32, 3)))
    assert features["block_1"].channels == 12
    assert features["output"].channels == 160
