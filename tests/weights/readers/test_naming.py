import numpy as np
import pytest

from keras_deeplab.weights.readers.caffe import RULES, convert_caffe
from keras_deeplab.weights.readers.naming import layer_of, rename_tensors


def test_kernels_turn_and_statistics_are_renamed(rng: np.random.Generator):
    kernel, depthwise = rng.normal(size=(4, 3, 5, 7)), rng.normal(size=(4, 1, 3, 3))
    arrays = rename_tensors(
        {
            "a.weight": kernel,
            "b.weight": depthwise,
            "c.running_var": np.ones(4),
            "c.num_batches_tracked": np.array(3),
            "aux.weight": kernel,
        },
        [("a", "conv"), ("b", "conv_depthwise"), ("c", "conv"), ("aux", None)],
        "net.pth",
    )
    assert sorted(arrays) == ["conv/kernel", "conv_bn/moving_variance", "conv_depthwise/kernel"]
    assert arrays["conv/kernel"].dtype == np.float32
    np.testing.assert_allclose(arrays["conv/kernel"][2, 6, 1, 3], kernel[3, 1, 2, 6], rtol=1e-6)
    np.testing.assert_allclose(
        arrays["conv_depthwise/kernel"][0, 2, 3, 0], depthwise[3, 0, 0, 2], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"x.weight": np.ones((1, 1, 1, 1))}, "must belong to a layer.*'x.weight' in net.pth"),
        ({"a.gain": np.ones(1)}, "must belong to a layer.*'a.gain'"),
        ({"a.weight": np.ones(3)}, r"'a.weight' must have 4 axes.*\(3,\) in net.pth"),
        ({"a.bias": np.ones(3), "b.bias": np.ones(3)}, "must come once.*'conv/bias' twice in net"),
    ],
)
def test_what_does_not_fit_is_named(tensors, words: str):
    with pytest.raises(ValueError, match=words):
        rename_tensors(tensors, [("[ab]", "conv")], "net.pth")


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv4_2", "conv4_2"),
        ("fc6", "fc6_0"),
        ("fc7_3", "fc7_2"),
        ("fc8_voc12", "classifier_0"),
        ("fc8_voc12_1", "classifier_0"),
        ("fc8_pascal", "classifier_0"),
        ("bn_conv1", "stem"),
        ("scale2a_branch1", "stage_1_block_0_shortcut"),
        ("res3b3_branch2c", "stage_2_block_3_conv_3"),
        ("res5c_branch2b", "stage_4_block_2_conv_2"),
        ("fc1_voc12_c3", "classifier_3"),
        ("res075_res2a_branch1", None),
        ("ip1", ""),
        ("fc9", ""),
    ],
)
def test_caffe_names(name: str, layer: str | None):
    assert layer_of(name, RULES) == layer


def test_convert_caffe_is_exported():
    with pytest.raises(FileNotFoundError):
        convert_caffe("none.caffemodel")
