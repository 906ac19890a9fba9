from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.mobilenet_v3 import mobilenet_v3
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import (
    build,
    check_atrous_consistency,
    check_contract,
    randomize,
)

NAMES = ("mobilenet_v3_large", "mobilenet_v3_small")


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str):
    check_contract(replace(BACKBONES[name], depth_multiplier=0.25))


def test_atrous_rates_without_the_published_exception(rng: np.random.Generator):
    """Squeeze-excite averages a map, which strides change: the blocks are compared without it."""
    row = BACKBONES["mobilenet_v3_large"]
    blocks = tuple(replace(block, squeeze_excite=False) for block in row.blocks)
    row = replace(row, blocks=blocks, depth_multiplier=0.25, dilates_first=False)
    check_atrous_consistency(row, rng)


def depthwise_rates(row, output_stride: int) -> list[int]:
    return [
        layer.dilation_rate[0]
        for layer in build(row, output_stride).layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    ]


def test_published_network_dilates_the_whole_last_stage():
    row = replace(BACKBONES["mobilenet_v3_large"], depth_multiplier=0.25)
    assert depthwise_rates(row, 16) == [1] * 12 + [2] * 3
    assert depthwise_rates(row, 8) == [1] * 6 + [2] * 6 + [4] * 3
    assert depthwise_rates(replace(row, dilates_first=False), 16) == [1] * 13 + [2] * 2


@pytest.mark.parametrize("size", [97, 100])
@pytest.mark.parametrize("name", NAMES)
def test_equals_keras_applications(name: str, size: int, rng: np.random.Generator):
    """An independent implementation, which pads as TensorFlow does."""
    peers = {
        "mobilenet_v3_large": keras.applications.MobileNetV3Large,
        "mobilenet_v3_small": keras.applications.MobileNetV3Small,
    }
    shape = (size, size, 3)
    peer = peers[name](shape, include_top=False, weights=None, include_preprocessing=False)
    randomize(peer, rng)
    ours = build(BACKBONES[name], 32, padding="tensorflow")
    ours.set_weights(peer.get_weights())
    image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
    expected = np.asarray(peer(image))
    difference = np.abs(ours(image)["output"] - expected).max() / np.abs(expected).max()
    assert difference < 1e-5


def test_last_convolution_is_part_of_the_backbone():
    features = mobilenet_v3(BACKBONES["mobilenet_v3_large"], keras.Input((64, 64, 3)))
    assert features["output"].channels == 960
    assert features["block_2"].stride == 4
