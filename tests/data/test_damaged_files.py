"""Files that are damaged, hostile, or no files at all: one clear error each, no hang."""

import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data import SegmentationFiles, read_folder
from keras_deeplab.data.checks.label_check import check_data
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.data.mat_file import has_person_parts, read_mat_mask
from keras_deeplab.data.sources import Example
from tests.data.miniatures import save_mat

needs_pipes = pytest.mark.skipif(sys.platform == "win32", reason="named pipes are files of POSIX")


@needs_pipes
@pytest.mark.parametrize("read", [read_image, read_mask, read_mat_mask])
def test_named_pipes_and_devices_are_refused(tmp_path: Path, read):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"must be a file\. Received: the named pipe .*a\.png"):
        read(tmp_path / "a.png")
    with pytest.raises(ValueError, match="the device '/dev/zero'"):
        read("/dev/zero")


def folder_of_pairs(path: Path) -> Path:
    for name in ("images", "masks"):
        (path / name).mkdir(parents=True)
    for name in "abc":
        Image.new("RGB", (8, 6)).save(path / "images" / f"{name}.jpg")
        mask = np.zeros((6, 8), "uint8")
        mask[:2] = 1
        Image.fromarray(mask).save(path / "masks" / f"{name}.png")
    return path


@needs_pipes
def test_a_folder_with_a_named_pipe_is_checked_to_its_end(tmp_path: Path):
    folder = folder_of_pairs(tmp_path)
    for victim in (folder / "images" / "b.jpg", folder / "masks" / "c.png"):
        victim.unlink()
        os.mkfifo(victim)
    report = check_data(folder)
    assert [(x.kind, Path(x.file).name) for x in report.errors] == [
        ("image not readable", "b.jpg"),
        ("mask not readable", "c.png"),
    ]
    assert report.splits["all"].read == 2


@pytest.mark.parametrize("file", ["damaged.avif", "mask_declared_huge.gif", "mask_bomb.png"])
def test_one_bad_file_of_any_format_is_one_error(shared: Path, tmp_path: Path, file: str):
    folder = folder_of_pairs(tmp_path)
    bad = (shared / "cases" / "files" / file).read_bytes()
    (folder / "images" / "b.jpg").write_bytes(bad)
    (folder / "masks" / "c.png").write_bytes(bad)
    report = check_data(folder, class_names=["a", "b"])
    assert {Path(x.file).name for x in report.errors} >= {"b.jpg", "c.png"}
    for read in (read_image, read_mask):
        with pytest.raises(ValueError, match=file):
            read(shared / "cases" / "files" / file)


def mat_bytes(variable: bytes, times: int) -> bytes:
    """A MATLAB file of version 5 whose compressed elements repeat some bytes."""
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(variable) for _ in range(times)) + packer.flush()
    return header + np.array([15, len(packed)], "<u4").tobytes() + packed


def test_a_small_matlab_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path):
    (tmp_path / "a.mat").write_bytes(mat_bytes(bytes(1 << 24), 20))
    assert (tmp_path / "a.mat").stat().st_size < 1e6
    with pytest.raises(ValueError, match="more than a hundred times its size"):
        read_mat_mask(tmp_path / "a.mat")


@pytest.mark.parametrize(
    "variables",
    [
        {"GTcls": 3.0},
        {"GTcls": {"Other": 1}},
        {"LabelMap": "text"},
        {"LabelMap": np.array([[np.nan, 1.0]])},
        {"LabelMap": np.array([[-1.0, 70000.0]])},
        {"LabelMap": np.zeros((0, 3))},
        {"anno": np.zeros((0, 0))},
        {"anno": {"objects": 5.0}},
    ],
)
def test_matlab_files_of_another_content(tmp_path: Path, variables: dict):
    save_mat(tmp_path / "a.mat", variables)
    with pytest.raises(ValueError, match=r"A MATLAB mask must .*a\.mat"):
        read_mat_mask(tmp_path / "a.mat")
    if "anno" in variables:
        with pytest.raises(ValueError, match=r"a\.mat"):
            has_person_parts(tmp_path / "a.mat")


def test_lists_of_commas_and_deep_json(tmp_path: Path):
    folder = folder_of_pairs(tmp_path)
    (folder / "train.txt").write_text(",\na\n , ,\n")
    (folder / "classes.txt").write_text("one\ntwo\n")
    assert [example.name for example in read_folder(folder, "train").examples] == ["a"]
    (folder / "train.txt").write_text(",")
    with pytest.raises(ValueError, match=r"must name images.*train\.txt"):
        read_folder(folder, "train")
    (folder / "train.txt").unlink()
    (folder / "classes.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"JSON file of class names.*classes\.json"):
        read_folder(folder)


def test_more_classes_than_ids(tmp_path: Path):
    names = [f"class {number}" for number in range(70_000)]
    with pytest.raises(ValueError, match="at most 65,535 classes. Received: 70000"):
        SegmentationFiles([Example("a", tmp_path, tmp_path)], class_names=names)
    folder = folder_of_pairs(tmp_path)
    (folder / "classes.json").write_text(json.dumps(names))
    assert [x.kind for x in check_data(folder).errors] == ["data not readable"]
