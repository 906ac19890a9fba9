from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.inverted_residual import scaled_channels
from keras_deeplab.models.backbones.mobilenet_v2 import mobilenet_v2
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import (
    build,
    check_atrous_consistency,
    check_contract,
    randomize,
)

ROW = BACKBONES["mobilenet_v2"]
NARROW = replace(ROW, depth_multiplier=0.25)


def test_contract():
    check_contract(NARROW)


@pytest.mark.parametrize("size", [96, 97])
def test_atrous_consistency(size: int, rng: np.random.Generator):
    check_atrous_consistency(NARROW, size, rng)


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
