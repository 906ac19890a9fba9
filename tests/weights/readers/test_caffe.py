import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.caffe import convert_caffe, read_caffemodel
from tests.reference.caffemodel_writer import field, write_caffemodel


@pytest.fixture
def layers(rng: np.random.Generator):
    def array(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    return [
        ("conv1_1", "Convolution", [array(4, 3, 3, 3), array(4)]),
        ("relu1_1", "ReLU", []),
        ("fc8_voc12", "Convolution", [array(2, 4, 1, 1), array(2)]),
    ]


@pytest.mark.parametrize("old", [False, True])
def test_reads_both_layer_messages(old: bool, layers, tmp_path: Path):
    file = tmp_path / "net.caffemodel"
    file.write_bytes(write_caffemodel(layers, old=old))
    assert [layer.name for layer in read_caffemodel(file)] == ["conv1_1", "fc8_voc12"]
    read = convert_caffe(file)
    kernel = layers[0][2][0]
    # (out, in, height, width) in BGR became (height, width, in, out) in RGB.
    np.testing.assert_array_equal(read["conv1_1/kernel"], kernel[:, ::-1].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(read["classifier_0/bias"], layers[2][2][1])
    assert len(read) == 4


def test_batch_norm_is_divided_by_its_factor(tmp_path: Path):
    mean, variance = np.array([2.0, -4.0], "float32"), np.array([6.0, 8.0], "float32")
    gamma, beta = np.array([0.5, 1.5], "float32"), np.array([1.0, 2.0], "float32")
    file = tmp_path / "net.caffemodel"
    layers = [
        ("bn2a_branch1", "BatchNorm", [mean, variance, np.array([2.0], "float32")]),
        ("scale2a_branch1", "Scale", [gamma, beta]),
        ("bn2a_branch2a", "BatchNorm", [mean, variance, np.array([0.0], "float32")]),
    ]
    file.write_bytes(write_caffemodel(layers))
    read = convert_caffe(file)
    prefix = "stage_1_block_0_shortcut_bn"
    assert read[f"{prefix}/moving_mean"].tolist() == [1.0, -2.0]
    assert read[f"{prefix}/moving_variance"].tolist() == [3.0, 4.0]
    assert read[f"{prefix}/gamma"].tolist() == [0.5, 1.5]
    assert read[f"{prefix}/beta"].tolist() == [1.0, 2.0]
    # Caffe: a factor of 0 is a network that has seen nothing.
    assert read["stage_1_block_0_conv_1_bn/moving_mean"].tolist() == [0.0, 0.0]


def test_reads_from_an_archive(layers, tmp_path: Path):
    file = tmp_path / "net.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("folder/init.caffemodel", b"")
        archive.writestr("folder/train.caffemodel", write_caffemodel(layers))
    assert len(convert_caffe(file, member="train.caffemodel")) == 4
    with pytest.raises(ValueError, match=r"zip archive with one none.caffemodel.*net.zip"):
        convert_caffe(file, member="none.caffemodel")
    file.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"zip archive with one train.caffemodel.*net.zip"):
        convert_caffe(file, member="train.caffemodel")


def test_damaged_files_are_refused(layers, tmp_path: Path):
    file = tmp_path / "net.caffemodel"
    data = write_caffemodel(layers)
    for content in (b"", b"\xff" * 20, data[:-1], data[: len(data) // 2], b"GIF89a" + data):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"caffemodel"):
            read_caffemodel(file)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (("ip1", "Convolution", [np.ones((1, 1, 1, 1))]), "one of DeepLab.*'ip1'.*net.caffemodel"),
        (("conv1_2", "Scale", [np.ones(2), np.ones(2)]), "'conv1_2' of type 'Scale'"),
        (("conv1_2", "Convolution", [np.ones(2)]), r"kernel of 'conv1_2' must have 4 axes"),
        (("conv1_1", "Convolution", [np.ones((4, 3, 3, 3))]), "'conv1_1/kernel' twice"),
    ],
)
def test_what_does_not_fit_is_named(layers, layer, words: str, tmp_path: Path):
    (tmp_path / "net.caffemodel").write_bytes(write_caffemodel([*layers, layer]))
    with pytest.raises(ValueError, match=words):
        convert_caffe(tmp_path / "net.caffemodel")


def test_a_file_without_weights_is_refused(tmp_path: Path):
    (tmp_path / "net.caffemodel").write_bytes(field(1, b"name"))
    with pytest.raises(ValueError, match="must have layers with weights"):
        convert_caffe(tmp_path / "net.caffemodel")
