from dataclasses import replace

import keras
import numpy as np
import pytest

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


def test_atrous_consistency(rng: np.random.Generator):
    check_atrous_consistency(NARROW, rng)


def test_atrous_consistency_with_tensorflow_padding_at_odd_sizes(rng):
    """At even sizes it cannot hold: the strided convolutions are shifted by half a pixel."""
    check_atrous_consistency(NARROW, rng, sizes=(97,), padding="tensorflow")


@pytest.mark.parametrize("size", [96, 97, 98, 100])
def test_equals_keras_applications(size: int, rng: np.random.Generator):
    """An independent implementation, which pads as TensorFlow does."""
    peer = keras.applications.MobileNetV2((size, size, 3), include_top=False, weights=None)
    peer = keras.Model(peer.input, peer.get_layer("block_16_project_BN").output)
    randomize(peer, rng)
    ours = build(ROW, 32, padding="tensorflow")
    ours.set_weights(peer.get_weights())
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    expected = np.asarray(peer(image))
    difference = np.abs(ours(image)["output"] - expected).max() / np.abs(expected).max()
    assert difference < 1e-5


def test_half_width_of_the_published_network_is_not_rounded_to_8():
    features = mobilenet_v2(BACKBONES["mobilenet_v2_050"], keras.Input((32, 32, 3)))
    assert features["block_1"].channels == 12
    assert features["output"].channels == 160
