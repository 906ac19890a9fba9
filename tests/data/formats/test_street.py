from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.formats.street import camvid, cityscapes
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import make_camvid, make_cityscapes


def test_cityscapes(tmp_path: Path):
    make_cityscapes(tmp_path)
    data = cityscapes(tmp_path)
    assert [example.name[:6] for example in data.examples] == ["aachen", "bremen"]
    assert len(cityscapes(tmp_path, "val")) == 1
    ids = data[0]["labels"].ravel()[:34]
    # helpers/labels.py of cityscapesScripts
    assert ids[[7, 8, 11, 17, 19, 26, 33]].tolist() == [0, 1, 2, 5, 6, 13, 18]
    assert ids[[0, 1, 9, 10, 14, 18, 29, 30]].tolist() == [255] * 8
    assert sorted(np.unique(ids)) == [*range(19), 255]


def test_what_cityscapes_lacks(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="Cityscapes must hold leftImg8bit/train"):
        cityscapes(tmp_path)
    make_cityscapes(tmp_path)
    next((tmp_path / "gtFine").rglob("aachen*labelIds.png")).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 without, such as .*gtFine_trainval"):
        cityscapes(tmp_path)
    (tmp_path / "leftImg8bit" / "test").mkdir()
    with pytest.raises(FileNotFoundError, match="must hold CITY/NAME_leftImg8bit.png"):
        cityscapes(tmp_path, "test")


@pytest.mark.parametrize("tutorial", [True, False])
def test_camvid(tmp_path: Path, tutorial: bool):
    make_camvid(tmp_path, tutorial=tutorial)
    for split, count in (("train", 2), ("val", 1), ("test", 1)):
        data = camvid(tmp_path, split)
        assert len(data) == count
        assert data.class_names == DATASETS["camvid"].class_names
        assert data.ignore_class == 11
        assert sorted(np.unique(data[0]["labels"])) == list(range(12))


def test_camvid_as_shared(shared: Path):
    counts = {
        split: len(camvid(shared / "data/camvid", split)) for split in ("train", "val", "test")
    }
    assert counts == {"train": 367, "val": 101, "test": 233}
