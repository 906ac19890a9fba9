import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.models.atrous import StrideAndRate
from keras_deeplab.models.backbones.mobilenet import (
    Block,
    inverted_residuals,
    mobilenet,
    scaled_channels,
)
from keras_deeplab.models.blocks import ConvOptions, Feature
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import (
    build,
    check_atrous_consistency,
    check_contract,
    randomize,
)
from tests.reference.matrices import matrix

ROW = BACKBONES["mobilenet_v2"]
NARROW = replace(ROW, depth_multiplier=0.25)
NAMES_V3 = ("mobilenet_v3_large", "mobilenet_v3_small")


def test_contract_of_v2():
    check_contract(NARROW)


def test_atrous_consistency(rng: np.random.Generator):
    check_atrous_consistency(NARROW, rng)


def test_atrous_consistency_with_tensorflow_padding_at_odd_sizes(rng):
    """At even sizes it cannot hold: the strided convolutions are shifted by half a pixel."""
    check_atrous_consistency(NARROW, rng, sizes=(97,), padding="tensorflow")


@pytest.mark.parametrize("size", matrix([96, 97, 98, 100], 97, 98))
def test_v2_equals_keras_applications(size: int, rng: np.random.Generator):
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
    features = mobilenet(BACKBONES["mobilenet_v2_050"], keras.Input((32, 32, 3)))
    assert features["block_1"].tensor.shape[-1] == 12
    assert features["output"].tensor.shape[-1] == 160


@pytest.mark.parametrize("name", NAMES_V3)
def test_contract_of_v3(name: str):
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


@pytest.mark.parametrize(
    "case",
    matrix(itertools.product(NAMES_V3, (97, 100)), (NAMES_V3[0], 97), (NAMES_V3[1], 100)),
)
def test_v3_equals_keras_applications(case: tuple[str, int], rng: np.random.Generator):
    """An independent implementation, which pads as TensorFlow does."""
    name, size = case
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
    features = mobilenet(BACKBONES["mobilenet_v3_large"], keras.Input((64, 64, 3)))
    assert features["output"].tensor.shape[-1] == 960
    assert features["block_2"].stride == 4


@pytest.mark.parametrize(
    ("channels", "multiplier", "divisor", "expected"),
    [(24, 0.5, 8, 16), (24, 0.5, 1, 12), (16, 0.35, 8, 8), (320, 1.4, 8, 448), (32, 0.1, 1, 3)],
)
def test_scaled_channels(channels: int, multiplier: float, divisor: int, expected: int):
    assert scaled_channels(channels, multiplier=multiplier, divisor=divisor) == expected


def test_blocks_by_hand():
    """A block without expansion, a strided one, and one with squeeze-excite and a shortcut."""
    image = keras.Input((32, 32, 4))
    blocks = [Block(4, 6, 1), Block(12, 8, 2, kernel_size=5), Block(16, 8, 1, squeezed=2)]
    plan = [StrideAndRate(1, 1), StrideAndRate(2, 1), StrideAndRate(1, 2)]
    features = inverted_residuals(Feature(image, 1), blocks, plan, ConvOptions("trainable"))
    assert [(f.stride, f.tensor.shape[-1]) for f in features.values()] == [
        (1, 6),
        (2, 8),
        (2, 8),
        (2, 8),
    ]
    assert features["output"] is features["block_2"]
    model = keras.Model(image, features["output"].tensor)
    names = {layer.name for layer in model.layers}
    assert "block_0_expand" not in names
    assert {"block_1_expand", "block_2_expand", "block_2_squeeze", "block_2_add"} <= names
    assert "block_1_add" not in names
    assert model.get_layer("block_2_depthwise").dilation_rate == (2, 2)
    assert model.get_layer("block_1_depthwise").kernel_size == (5, 5)
    assert model.get_layer("block_2_squeeze").kernel.shape == (1, 1, 16, 2)
