from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.resnet import resnet
from keras_deeplab.presets.backbone_row import ResNetRow
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import (
    build,
    check_atrous_consistency,
    check_contract,
    randomize,
)
from tests.reference.matrices import matrix

ROWS = {name: row for name, row in BACKBONES.items() if isinstance(row, ResNetRow)}


def narrow(row: ResNetRow) -> ResNetRow:
    stem = (*row.stem_channels[:-1], 8)
    return replace(row, blocks=(1, 2, 2, 3), channels=(4, 6, 8, 10), stem_channels=stem)


def rates(model: keras.Model, stage: int) -> list[int]:
    return [
        layer.dilation_rate[0]
        for layer in model.layers
        if layer.name.startswith(f"stage_{stage}_") and layer.name.endswith("_conv_2")
    ]


# A convolution strides in the 3x3 of the first block here, and in the 1x1 there.
FAST = ("resnet50", "resnet101_caffe")


@pytest.mark.parametrize("name", matrix(ROWS, *FAST))
def test_contract(name: str):
    check_contract(narrow(ROWS[name]))
    features = resnet(narrow(ROWS[name]), keras.Input((97, 161, 3)), output_stride=8)
    for name, stride, channels in (("stage_1", 4, 16), ("output", 8, 40)):
        assert features[name].stride == stride
        assert features[name].tensor.shape[-1] == channels


@pytest.mark.parametrize("multi_grid", matrix([(1, 1, 1), (1, 2, 4)], (1, 1, 1)))
@pytest.mark.parametrize("name", matrix(ROWS, *FAST))
def test_atrous_consistency(name: str, multi_grid, rng: np.random.Generator):
    check_atrous_consistency(narrow(ROWS[name]), rng, tolerance=1e-5, multi_grid=multi_grid)


def test_rates_where_the_3x3_strides():
    """torchvision's: the block whose stride was removed keeps the old rate."""
    model = build(narrow(ROWS["resnet101"]), 8)
    assert [rates(model, stage) for stage in (1, 2, 3, 4)] == [[1], [1, 1], [1, 2], [2, 4, 4]]


def test_rates_where_the_1x1_strides():
    """DeepLab v2's released ones: 2 in all of conv4_x and 4 in all of conv5_x."""
    model = build(narrow(ROWS["resnet101_caffe"]), 8)
    assert [rates(model, stage) for stage in (1, 2, 3, 4)] == [[1], [1, 1], [2, 2], [4, 4, 4]]


def test_multi_grid_of_the_paper():
    model = build(narrow(ROWS["resnet101_caffe"]), 16, multi_grid=(1, 2, 4))
    assert rates(model, 4) == [2, 4, 8]
    with pytest.raises(ValueError, match=r"each of the last stage's 3 blocks.*\(1, 2\)"):
        build(narrow(ROWS["resnet101"]), 16, multi_grid=(1, 2))


def test_equals_keras_applications(rng: np.random.Generator):
    """An independent implementation: the classifier without its top."""
    peer = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(97, 97, 3))
    randomize(peer, rng)
    ours = build(ROWS["resnet50_keras"], 32)
    names = {"0": "shortcut", "1": "conv_1", "2": "conv_2", "3": "conv_3"}
    for layer in peer.layers:
        if not layer.weights:
            continue
        stage, _, rest = layer.name.partition("_")
        if stage == "conv1":
            target = "stem"
        else:
            block, index, _ = rest.split("_")
            target = f"stage_{int(stage[4:]) - 1}_block_{int(block[5:]) - 1}_{names[index]}"
        suffix = "_bn" if layer.name.endswith("_bn") else ""
        ours.get_layer(target + suffix).set_weights(layer.get_weights())
    image = rng.normal(0, 1, (1, 97, 97, 3)).astype("float32")
    expected = np.asarray(peer(image))
    assert np.abs(ours(image)["output"] - expected).max() / np.abs(expected).max() < 1e-5


def test_parameters_are_the_published_ones():
    """keras.applications' ResNet without top: 23,587,712 with biases before batch norm."""
    assert build(ROWS["resnet50_keras"], 16).count_params() == 23_587_712
    # torchvision's resnet50 has 25,557,032 learnt, of which the classifier 2,049,000; batch
    # norm's statistics, 53,120 numbers, count here too.
    assert build(ROWS["resnet50"], 16).count_params() == 25_557_032 - 2_049_000 + 53_120


def test_the_deep_stem_has_three_convolutions():
    names = [layer.name for layer in build(narrow(ROWS["resnet50_v1c"]), 16).layers]
    assert {"stem_1", "stem_1_bn", "stem_2", "stem_3", "stem_3_bn"} <= set(names)
    assert "stem" not in names


@pytest.mark.parametrize(
    ("name", "size", "expected"), [("resnet101_caffe", 96, 25), ("resnet101", 96, 24)]
)
def test_caffes_pool_has_a_window_more_on_even_sizes(name: str, size: int, expected: int):
    features = resnet(narrow(ROWS[name]), keras.Input((size, size, 3)))
    assert features["stage_1"].tensor.shape[1] == expected
