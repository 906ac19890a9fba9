from dataclasses import replace

import keras
import numpy as np

from keras_deeplab.models.backbones import build_backbone
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import build, check_atrous_consistency, check_contract

ROW = BACKBONES["efficientnet_lite0"]
NARROW = replace(ROW, depth_multiplier=0.25)


def test_contract():
    check_contract(NARROW)


def test_atrous_consistency(rng: np.random.Generator):
    check_atrous_consistency(NARROW, rng)


def test_parameters_of_the_published_network():
    """4,652,008 trainable ones with the classifier and the 1x1 convolution before it."""
    trainable = sum(np.prod(v.shape) for v in build(ROW, 32).trainable_variables)
    assert trainable + 320 * 1280 + 2 * 1280 + 1281 * 1000 == 4_652_008


def test_no_swish_and_no_squeeze_excite():
    layers = build(NARROW, 16).layers
    assert {type(layer).__name__ for layer in layers} == {
        "InputLayer", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Add",
        "ZeroPadding2D",
    }  # fmt: skip
    assert {x.max_value for x in layers if isinstance(x, keras.layers.ReLU)} == {6.0}


def test_low_level_feature_of_the_decoder():
    image = keras.Input((64, 64, 3))
    features = build_backbone(ROW, image, output_stride=16, batch_norm="trainable")
    assert (features["block_2"].stride, features["block_2"].tensor.shape[-1]) == (4, 24)
