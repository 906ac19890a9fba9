from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab.models.backbones.vgg import vgg
from keras_deeplab.presets.backbones import BACKBONES
from tests.models.backbones.contract import build, check_atrous_consistency, check_contract

ROW = BACKBONES["vgg16"]
NARROW = replace(ROW, stages=((4, 2), (4, 2), (6, 3), (6, 3), (8, 3)))


def test_contract():
    check_contract(NARROW)


@pytest.mark.parametrize(("size", "expected"), [(321, 41), (513, 65), (97, 13), (96, 13), (90, 13)])
def test_sizes_are_caffes(size: int, expected: int):
    """Each of the three pools: ceil((n - 1) / 2) + 1 windows."""
    features = vgg(ROW, keras.Input((size, size, 3)))
    assert features["output"].tensor.shape[1:] == (expected, expected, 512)
    assert features["output"].stride == 8


def test_layers_are_those_of_the_prototxt():
    model = build(ROW, 8)
    convolutions = {x.name: x for x in model.layers if isinstance(x, keras.layers.Conv2D)}
    assert len(convolutions) == 13
    assert [convolutions[f"conv5_{i}"].dilation_rate for i in (1, 2, 3)] == [(2, 2)] * 3
    assert convolutions["conv4_3"].dilation_rate == (1, 1)
    pools = [model.get_layer(f"pool{i}") for i in range(1, 6)]
    assert [pool.pool_size for pool in pools] == [(3, 3)] * 5
    assert [pool.strides[0] for pool in pools] == [2, 2, 2, 1, 1]
    # keras.applications' VGG16 without its top.
    assert model.count_params() == 14_714_688


def test_receptive_field_of_conv5_3():
    """By hand: conv 3x3 pairs and triples, 3x3 pools, rate 2 in stage 5 at stride 8."""
    expected, stride = 1, 1
    for convolutions in (2, 2, 3):
        expected += 2 * stride * convolutions + 2 * stride
        stride *= 2
    expected += 2 * stride * 3 + 2 * stride + 2 * 2 * stride * 3
    assert measured_field(build(NARROW, 8), "stage_5") == expected == 211


def measured_field(model: keras.Model, feature: str) -> int:
    """The number of columns that move the central feature of a network that only adds up."""
    model.set_weights([np.full(w.shape, 0.1, "float32") for w in model.get_weights()])
    size = 257
    images = np.ones((size, 17, size, 3), "float32")
    images[np.arange(size), :, np.arange(size)] = 2
    x = np.asarray(model(images)[feature])
    plain = np.asarray(model(np.ones((1, 17, size, 3), "float32"))[feature])
    centre = (slice(None), x.shape[1] // 2, x.shape[2] // 2, 0)
    return int((x[centre] > plain[centre]).sum())


def test_atrous_consistency(rng: np.random.Generator):
    """Up to conv5_3; pool5 comes after it and has no rate in Caffe, as `vgg` says."""
    check_atrous_consistency(NARROW, rng, feature="stage_5", coarsest=16, tolerance=1e-5)
