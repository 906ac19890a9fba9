import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keras_deeplab.data.formats import dataset_splits, read_dataset, read_splits, recognise
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import (
    make_camvid,
    make_cityscapes,
    make_person_mats,
    make_voc,
    write_mask,
    write_pairs,
)


def make_context(root: Path) -> None:
    base = make_voc(root, 2010)
    for name in "abc":
        write_mask(base / "SegmentationClassContext" / f"{name}.png", 1)


def make_person_part(root: Path) -> None:
    make_voc(root, 2010)
    make_person_mats(root / "Annotations_Part", "a b c")


MAKERS: dict[str, Callable[[Path], object]] = {
    "camvid": lambda root: make_camvid(root, tutorial=True),
    "cityscapes": make_cityscapes,
    "pascal_context": make_context,
    "person_part": make_person_part,
    "voc": make_voc,
}


@pytest.mark.parametrize("dataset", MAKERS)
def test_known_layouts_are_recognised(tmp_path: Path, dataset: str):
    MAKERS[dataset](tmp_path)
    assert recognise(tmp_path).name == dataset
    assert dataset_splits(tmp_path)[:2] == ("train", "val")
    data = read_dataset(tmp_path, "train")
    assert data.class_names == DATASETS[dataset].class_names
    assert data.examples == read_dataset(tmp_path, dataset=dataset).examples
    assert len(read_dataset(tmp_path, "val")) == 1


def test_other_folders(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    assert recognise(tmp_path).name == "folder"
    assert dataset_splits(tmp_path) == dataset_splits(tmp_path, dataset="voc") == ()
    assert read_dataset(tmp_path).class_names == ("class 0", "class 1", "class 2")
    assert read_dataset(tmp_path, class_names=["a", "b", "c"]).class_names == ("a", "b", "c")


def test_masks_are_looked_through_once_for_several_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for split, names in (("train", "a b"), ("val", "c")):
        write_pairs(tmp_path / split / "images", tmp_path / split / "masks", names)
    looks = []

    def classes_of_masks(masks, **options):
        looks.append(len(masks))
        return ("class 0", "class 1", "class 2")

    monkeypatch.setattr("keras_deeplab.data.formats.folder.classes_of_masks", classes_of_masks)
    train, val = read_splits(tmp_path, ["train", "val"])
    assert looks == [3]
    assert val.class_names == train.class_names == ("class 0", "class 1", "class 2")
    assert val.palette == train.palette
    assert [example.name for example in val.examples] == ["c"]


def test_classes_of_a_dataset_in_a_plain_folder(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    data = read_dataset(tmp_path, dataset="voc")
    assert data.class_names == DATASETS["voc"].class_names
    # One without a reader of its own.
    assert read_dataset(tmp_path, dataset="ade20k").class_names == DATASETS["ade20k"].class_names
    with pytest.raises(FileNotFoundError, match="is not divided"):
        read_dataset(tmp_path, "train", dataset="voc")
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(ValueError, match="1 of 2 in .* without"):
        read_dataset(tmp_path, dataset="voc")
    assert len(read_dataset(tmp_path, dataset="voc", allow_missing=True)) == 1


def test_own_layouts_under_other_names(tmp_path: Path):
    base = make_voc(tmp_path)
    base.rename(tmp_path / "mine")
    assert recognise(tmp_path / "mine").name == "folder"
    assert len(read_dataset(tmp_path / "mine", "trainval", dataset="voc")) == 3
    with pytest.raises(FileNotFoundError, match="SBD's masks"):
        read_dataset(tmp_path / "mine", "trainaug", dataset="voc")
    with pytest.raises(FileNotFoundError, match="Cityscapes must hold"):
        read_dataset(tmp_path, dataset="cityscapes")


def test_unknown_datasets(tmp_path: Path):
    with pytest.raises(ValueError, match=r"dataset must be one of .* Did you mean 'camvid'"):
        read_dataset(tmp_path, dataset="canvid")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_dataset(tmp_path / "none")


def test_options_of_other_readers(tmp_path: Path):
    make_cityscapes(tmp_path)
    with pytest.raises(TypeError, match=r"cityscapes takes no options. Received: class_names="):
        read_dataset(tmp_path, class_names=["a"])
    make_context(tmp_path / "context")
    with pytest.raises(TypeError, match=r"pascal_context takes classes, labels"):
        read_dataset(tmp_path / "context", ignore_class=3)
    assert len(read_dataset(tmp_path / "context", classes=59).class_names) == 59


def test_reading_needs_no_tensorflow():
    code = (
        "import sys; from keras_deeplab.data import read_dataset, SegmentationFiles;"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
