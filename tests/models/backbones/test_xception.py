import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.xception import xception
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import build, check_atrous_consistency, check_contract
from tests.reference.matrices import matrix
from tests.reference.small_presets import narrow_xception

ROW = BACKBONES["xception_65"]
NARROW = narrow_xception(ROW, 32)


@pytest.mark.parametrize("name", ["xception_41", "xception_71"])
def test_contract(name: str):
    check_contract(narrow_xception(BACKBONES[name], 32))


@pytest.mark.parametrize("grid", matrix([(1, 1, 1), (1, 2, 4)], (1, 2, 4)))
def test_atrous_consistency(grid: tuple[int, ...], rng: np.random.Generator):
    check_atrous_consistency(NARROW, rng, multi_grid=grid)


def test_depth_is_the_name():
    """The stem's two and three separable convolutions per unit."""
    for depth in (41, 65, 71):
        blocks = BACKBONES[f"xception_{depth}"].blocks
        assert 2 + 3 * sum(block.units for block in blocks) == depth


def test_rates_at_output_stride_16():
    model = build(NARROW, 16, multi_grid=(1, 2, 4))
    rates = {
        layer.name.removesuffix("_depthwise"): layer.dilation_rate[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    }
    # The exit flow's first block lost its stride and keeps rate 1.
    assert rates["exit_flow_block1_unit_1_separable_conv3"] == 1
    exits = [rates[f"exit_flow_block2_unit_1_separable_conv{i}"] for i in (1, 2, 3)]
    assert exits == [2, 4, 8]


def test_decoder_feature_comes_before_the_third_convolution():
    features = xception(ROW, keras.Input((97, 97, 3)))
    feature = features["entry_flow_block2_unit_1_separable_conv2"]
    assert (feature.stride, feature.tensor.shape[-1]) == (4, 256)
    assert feature.tensor.shape[1:] == (25, 25, 256)
