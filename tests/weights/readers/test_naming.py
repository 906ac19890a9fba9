from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.caffe import caffe_layer_name, convert_caffe
from keras_deeplab.weights.readers.kazuto import convert_kazuto
from keras_deeplab.weights.readers.mmseg import convert_mmseg
from keras_deeplab.weights.readers.naming import rename_tensors
from keras_deeplab.weights.readers.torchvision import convert_torchvision
from tests.reference.torch_file_writer import state_dict, zip_file


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
        {"a": "conv", "b": "conv_depthwise", "c": "conv_bn", "aux": None}.get,
        "net.pth",
    )
    assert sorted(arrays) == ["conv/kernel", "conv_bn/moving_variance", "conv_depthwise/kernel"]
    assert arrays["conv/kernel"].dtype == np.float32
    np.testing.assert_allclose(arrays["conv/kernel"][2, 6, 1, 3], kernel[3, 1, 2, 6], rtol=1e-6)
    np.testing.assert_allclose(
        arrays["conv_depthwise/kernel"][0, 2, 3, 0], depthwise[3, 0, 0, 2], rtol=1e-6
    )


def test_the_pooled_branch_comes_first():
    """Its channels, the last fifth of the projection's input elsewhere, are the first here."""
    kernel = np.arange(10.0).reshape(1, 10, 1, 1).repeat(2, 0)
    for last, order in ((True, [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]), (False, list(range(10)))):
        arrays = rename_tensors(
            {"p.weight": kernel}, lambda _: "aspp_projection", "net.pth", pooled_last=last
        )
        assert arrays["aspp_projection/kernel"][0, 0, :, 0].tolist() == order


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
        rename_tensors(tensors, lambda name: {"a": "conv", "b": "conv"}.get(name, ""), "net.pth")


@pytest.mark.parametrize("convert", [convert_torchvision, convert_kazuto, convert_mmseg])
def test_another_network_is_refused(convert, tmp_path: Path):
    arrays = {"features.0.weight": np.ones((2, 3, 3, 3), "float32")}
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    with pytest.raises(ValueError, match=r"'features.0.weight' in .*net.pth"):
        convert(tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes(b"no file of weights")
    with pytest.raises(ValueError, match=r"net.pth"):
        convert(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("prefix", "infix", "shortcut"), [("scale.", "stages.", "proj"), ("base.", "", "shortcut")]
)
def test_both_namings_of_kazuto1011(prefix: str, infix: str, shortcut: str, tmp_path: Path):
    kernel = np.arange(3, dtype="float32").reshape(1, 3, 1, 1)
    arrays = {
        f"{prefix}layer1.conv1.conv.weight": kernel,
        f"{prefix}layer4.block23.{shortcut}.bn.weight": np.ones(2, "float32"),
        f"{prefix}aspp.{infix}c3.bias": np.ones(2, "float32"),
    }
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    read = convert_kazuto(tmp_path / "net.pth")
    assert list(read) == ["stem/kernel", "stage_3_block_22_shortcut_bn/gamma", "classifier_3/bias"]
    # BGR became RGB.
    assert read["stem/kernel"].ravel().tolist() == [2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv4_2", "conv4_2"),
        ("fc6", "fc6_0"),
        ("fc7_3", "fc7_2"),
        ("fc8_voc12", "classifier_0"),
        ("fc8_voc12_1", "classifier_0"),
        ("fc8_pascal", "classifier_0"),
        ("bn_conv1", "stem_bn"),
        ("scale2a_branch1", "stage_1_block_0_shortcut_bn"),
        ("res3b3_branch2c", "stage_2_block_3_conv_3"),
        ("res5c_branch2b", "stage_4_block_2_conv_2"),
        ("fc1_voc12_c3", "classifier_3"),
        ("res075_res2a_branch1", None),
        ("ip1", ""),
        ("fc9", ""),
    ],
)
def test_caffe_names(name: str, layer: str | None):
    assert caffe_layer_name(name) == layer


def test_convert_caffe_is_exported():
    with pytest.raises(FileNotFoundError):
        convert_caffe("none.caffemodel")
