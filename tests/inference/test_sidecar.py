"""The metadata file of an exported network."""

import json
from pathlib import Path

import pytest

from keras_deeplab.inference.sidecar import read_sidecar, sidecar_path

CONTENT = {"format_version": 1, "class_names": ["background", "cat"]}


def written(folder: Path, **changes) -> Path:
    network = folder / "net.onnx"
    sidecar_path(network).write_text(json.dumps(CONTENT | changes))
    return network


def test_paths(tmp_path: Path):
    assert sidecar_path(tmp_path).name == "keras_deeplab.json"
    assert sidecar_path(tmp_path / "net.onnx").name == "net.onnx.json"


def test_a_missing_file_says_nothing(tmp_path: Path):
    sidecar = read_sidecar(tmp_path / "net.onnx")
    assert (sidecar.class_names, sidecar.output, sidecar.palette) == (None, None, None)


def test_values(tmp_path: Path):
    network = written(
        tmp_path,
        palette=[[0, 0, 0], [64, 0, 0]],
        ignore_class=254,
        output={"kind": "logits"},
        inference_size=[321, 513],
    )
    sidecar = read_sidecar(network)
    assert sidecar.class_names == ("background", "cat")
    assert sidecar.palette == ((0, 0, 0), (64, 0, 0))
    assert (sidecar.ignore_class, sidecar.output) == (254, "logits")
    assert sidecar.inference_size == (321, 513)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 99}, "format_version 1. Received: 99"),
        ({"class_names": 3}, "must describe an export"),
        ({"palette": [[1, 2]]}, "net.onnx.json"),
    ],
)
def test_wrong_values(tmp_path: Path, changes: dict, words: str):
    with pytest.raises(ValueError, match=words):
        read_sidecar(written(tmp_path, **changes))


def test_other_images_are_refused_on_request(tmp_path: Path):
    sidecar = read_sidecar(written(tmp_path, input={"range": "RGB -1 to 1", "layout": "NHWC"}))
    with pytest.raises(ValueError, match="range RGB 0-255"):
        sidecar.check_images()
    read_sidecar(written(tmp_path, input={"range": "RGB 0-255"})).check_images()


def test_damaged_files(tmp_path: Path):
    network = tmp_path / "net.onnx"
    sidecar_path(network).write_text('{"format_version": 1')
    with pytest.raises(ValueError, match="Export net.onnx again"):
        read_sidecar(network)
    sidecar_path(network).write_text('{"class_names": ["a", "b"]}')
    with pytest.raises(ValueError, match=r"no format_version.*Export net.onnx again"):
        read_sidecar(network)


def test_the_entry_inside_the_network_counts_where_the_file_is_missing(tmp_path: Path):
    embedded = json.dumps(CONTENT | {"ignore_class": 7})
    for content in (embedded, embedded.encode()):
        sidecar = read_sidecar(tmp_path / "net.onnx", content)
        assert (sidecar.class_names, sidecar.ignore_class) == (("background", "cat"), 7)
    network = written(tmp_path, class_names=["a", "b"])
    assert read_sidecar(network, embedded).class_names == ("a", "b")
    with pytest.raises(ValueError, match=r"bad\.onnx must describe an export"):
        read_sidecar(tmp_path / "bad.onnx", "{")
