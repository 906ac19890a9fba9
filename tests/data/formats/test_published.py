from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.formats.published import camvid, cityscapes, pets, pets_splits
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import make_camvid, make_cityscapes, write_image


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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "annotations" / "trimaps").mkdir(parents=True)
    for name in ("Abyssinian_1", "beagle_2", "pug_3"):
        write_image(tmp_path / "images" / f"{name}.jpg")
        with Image.open(tmp_path / "images" / f"{name}.jpg") as image:
            trimap = np.full(image.size[::-1], 2, "uint8")
        trimap[0], trimap[1] = 1, 3
        Image.fromarray(trimap).save(tmp_path / "annotations" / "trimaps" / f"{name}.png")
    return tmp_path


def test_trimaps_become_pet_background_and_border(root: Path):
    data = pets(root)
    assert data.class_names == ("pet", "background", "border")
    assert [example.name for example in data.examples] == ["Abyssinian_1", "beagle_2", "pug_3"]
    labels = data[0]["labels"]
    assert (labels[0] == 0).all()
    assert (labels[1] == 2).all()
    assert (labels[2:] == 1).all()


def test_the_lists_are_the_splits(root: Path):
    assert pets_splits(root) == ("train",)
    with pytest.raises(FileNotFoundError, match="no test.txt"):
        pets(root, "test")
    (root / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\npug_3 2 2 1\n")
    (root / "annotations" / "test.txt").write_text("beagle_2 3 2 2\n")
    assert pets_splits(root) == ("train", "test")
    assert [example.name for example in pets(root).examples] == ["Abyssinian_1", "pug_3"]
    assert [example.name for example in pets(root, "test").examples] == ["beagle_2"]
    with pytest.raises(ValueError, match="split must be one of"):
        pets(root, "val")
