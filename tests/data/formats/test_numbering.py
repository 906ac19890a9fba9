"""Ids of published files in plain folders."""

from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.checks.label_check import check_data
from keras_deeplab.data.formats import read_dataset, read_splits
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import SIZE, write_image, write_mask


def write_ids(root: Path, *ids: int, name: str = "a", mask: str = "", split: str = "train") -> None:
    write_image(root / "images" / split / f"{name}.png", sum(ids))
    labels = np.repeat(ids, SIZE[0] // len(ids))[:, None]
    write_mask(root / "annotations" / split / f"{mask or name}.png", labels)


def classes(root: Path, dataset: str, split: str = "train", **options: object) -> list[str | int]:
    data = read_dataset(root, split, dataset=dataset, **options)
    found = np.unique([element["labels"] for element in data]).tolist()
    return [data.class_names[k] if k != 255 else 255 for k in found]


def test_ade20k_as_published(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """1 is wall, 150 is flag, 0 is everything else."""
    write_ids(tmp_path, 3, 1, 13, split="training")
    write_ids(tmp_path, 0, 150, 1, name="b", split="validation")
    assert classes(tmp_path, "ade20k") == ["wall", "sky", "person"]
    assert classes(tmp_path, "ade20k", "val") == ["wall", "flag", 255]
    assert "ADE20K's own, 1-150" in caplog.text
    train, val = read_splits(tmp_path, ["train", "val"], dataset="ade20k")
    assert train.label_map == val.label_map
    report = check_data(tmp_path, dataset="ade20k")
    assert report.errors == ()
    assert "ADE20K's own, 1-150" in str(report)


def test_ade20k_in_the_ids_of_the_classes(tmp_path: Path):
    write_ids(tmp_path, 2, 0, 255)
    assert classes(tmp_path, "ade20k") == ["wall", "sky", 255]
    write_ids(tmp_path, 2, 0, 12)
    assert classes(tmp_path, "ade20k", label_map={255: 255}) == ["wall", "sky", "person"]


@pytest.mark.parametrize("ids", [(7, 8, 11), (7, 11, 26), (0, 7, 33), (3, 4, 7)])
def test_cityscapes_label_ids(tmp_path: Path, ids: tuple[int, ...], caplog):
    write_ids(tmp_path, *ids)
    names = {7: "road", 8: "sidewalk", 11: "building", 26: "car", 33: "bicycle"}
    expected = [names[label] for label in ids if label in names]
    assert set(classes(tmp_path, "cityscapes")) - {255} == set(expected)
    assert "labelIds" in caplog.text
    assert "labelIds" in str(check_data(tmp_path, dataset="cityscapes"))


@pytest.mark.parametrize("ids", [(0, 1, 2), (0, 8, 11), (10, 18, 255), (1, 2, 9)])
def test_cityscapes_train_ids(tmp_path: Path, ids: tuple[int, ...]):
    write_ids(tmp_path, *ids)
    names = DATASETS["cityscapes"].class_names
    expected = [names[label] if label != 255 else 255 for label in ids]
    assert classes(tmp_path, "cityscapes") == expected


@pytest.mark.parametrize(
    ("kind", "first"), [("labelIds", "road"), ("labelTrainIds", "traffic sign")]
)
def test_cityscapes_names_of_files_say_which_ids(tmp_path: Path, kind: str, first: str):
    write_ids(tmp_path, 7, 8, 11, name="x_1_leftImg8bit", mask=f"x_1_gtFine_{kind}")
    assert first in classes(tmp_path, "cityscapes")


def test_coco_stuff_of_both_releases(tmp_path: Path):
    write_ids(tmp_path, 1, 182, 0)
    assert classes(tmp_path, "coco_stuff") == ["person", "wood", 255]
    write_ids(tmp_path, 0, 181, 255)
    assert classes(tmp_path, "coco_stuff") == ["person", "wood", 255]


def test_ids_that_count_from_one_get_the_right_advice(tmp_path: Path):
    write_ids(tmp_path, 1, 2, 3)
    names = ["sky", "cat", "dog"]
    report = check_data(tmp_path, class_names=names)
    assert "--label-map 0:255,1-3:0-2" in str(report)
    label_map = {0: 255} | {i: i - 1 for i in range(1, 4)}
    assert check_data(tmp_path, class_names=names, label_map=label_map).errors == ()
