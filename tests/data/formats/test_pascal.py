from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.formats.published import pascal_context, person_part, voc2012
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.presets.datasets import DATASETS
from tests.data.miniatures import (
    SIZE,
    make_person_mats,
    make_sbd,
    make_voc,
    save_mat,
    write_list,
    write_mask,
)


def contents(data: SegmentationFiles) -> dict[str, list[int]]:
    return {element["name"]: np.unique(element["labels"]).tolist() for element in data}


@pytest.mark.parametrize("start", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc_from_any_level(tmp_path: Path, start: str):
    make_voc(tmp_path)
    root = tmp_path / start
    assert contents(voc2012(root)) == {"a": [1, 255], "b": [2, 255]}
    assert contents(voc2012(root, "val")) == {"c": [3, 255]}
    assert list(contents(voc2012(root, "trainval"))) == ["a", "b", "c"]
    assert voc2012(root).class_names == DATASETS["voc"].class_names


def test_trainaug_from_matlab_files(tmp_path: Path):
    """VOC's masks come first, and its validation images stay out."""
    make_voc(tmp_path)
    make_sbd(tmp_path)
    expected = {"a": [1, 255], "b": [2, 255], "d": [13]}
    assert contents(voc2012(tmp_path, "trainaug")) == expected
    base = tmp_path / "VOCdevkit" / "VOC2012"
    assert contents(voc2012(base, "trainaug", sbd=tmp_path / "benchmark_RELEASE")) == expected
    # SBD brings its images along.
    (base / "JPEGImages" / "d.jpg").unlink()
    assert contents(voc2012(tmp_path, "trainaug")) == expected


@pytest.mark.parametrize("beside", [True, False])
def test_trainaug_from_pngs(tmp_path: Path, beside: bool):
    base = make_voc(tmp_path)
    folder = (tmp_path if beside else base) / "SegmentationClassAug"
    for label, name in enumerate("abcde", start=11):
        write_mask(folder / f"{name}.png", label)
    expected = {"a": [1, 255], "b": [2, 255], "d": [14], "e": [15]}
    assert contents(voc2012(tmp_path, "trainaug")) == expected
    assert contents(voc2012(base, "trainaug", sbd=folder)) == expected
    lines = "/JPEGImages/d.jpg /SegmentationClassAug/d.png\n/JPEGImages/a.jpg /x/a.png\n"
    (base / "ImageSets" / "Segmentation" / "trainaug.txt").write_text(lines)
    assert contents(voc2012(tmp_path, "trainaug")) == {"d": [14], "a": [1, 255]}


def test_what_voc_lacks(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="VOC 2012 must hold VOC2012/JPEGImages"):
        voc2012(tmp_path)
    base = make_voc(tmp_path)
    with pytest.raises(ValueError, match="split must be one of 'train', 'val'"):
        voc2012(tmp_path, "test")
    with pytest.raises(FileNotFoundError, match=r"find SBD's masks, SegmentationClassAug or"):
        voc2012(base, "trainaug")
    (base / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match="'a' without mask"):
        voc2012(tmp_path)
    (base / "ImageSets" / "Segmentation" / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match="split list must exist"):
        voc2012(tmp_path, "val")


NAMES = DATASETS["pascal_context"].class_names


@pytest.mark.parametrize(
    ("folder", "ids"),
    [
        # ids of the file for background, aeroplane, bag, cat and wood
        ("SegmentationClassContext", (0, 1, 2, 15, 59)),
        ("59_context_labels", (0, 1, 21, 8, 59)),
        ("trainval", (400, 2, 9, 65, 458)),
    ],
)
@pytest.mark.parametrize("classes", [59, 60])
def test_context(tmp_path: Path, folder: str, ids: tuple[int, ...], classes: int):
    base = make_voc(tmp_path, 2010)
    labels = np.resize(ids, SIZE)
    for name in "abc":
        if folder == "trainval":
            save_mat(base / folder / f"{name}.mat", {"LabelMap": labels.astype("float64")})
        else:
            write_mask(base / folder / f"{name}.png", labels)
    data = pascal_context(tmp_path, "train", classes=classes)
    assert list(contents(data)) == ["a", "b"]
    assert list(contents(pascal_context(tmp_path, "val"))) == ["c"]
    row = data[0]["labels"][0, :5].tolist()
    assert (row[0] == 255) == (classes == 59)
    named = [data.class_names[label] for label in row[60 - classes > 0 :]]
    assert named == [NAMES[0]] * (classes == 60) + ["aeroplane", "bag", "cat", "wood"]
    assert len(data.class_names) == len(data.palette) == classes


def test_lists_of_context_come_first(tmp_path: Path):
    base = make_voc(tmp_path, 2010)
    for name in "abc":
        write_mask(base / "SegmentationClassContext" / f"{name}.png", 1)
    write_list(base / "ImageSets" / "SegmentationContext" / "train.txt", "c")
    assert list(contents(pascal_context(tmp_path))) == ["c"]


@pytest.mark.parametrize("ending", ["_id", ""])
def test_person_part_from_pngs(tmp_path: Path, ending: str):
    make_voc(tmp_path, 2010)
    for name in "ac":
        write_mask(tmp_path / "pascal_person_part_gt" / f"{name}.png", 6)
    lists = tmp_path / "pascal_person_part_trainval_list"
    for split, name in (("train", "a"), ("val", "c")):
        line = f"/JPEGImages/{name}.jpg /part_mask/{name}.png" if ending == "" else name
        lists.mkdir(exist_ok=True)
        (lists / f"{split}{ending}.txt").write_text(line)
    assert contents(person_part(tmp_path)) == {"a": [6]}
    assert contents(person_part(tmp_path, "val")) == {"c": [6]}


def test_person_part_from_matlab_files(tmp_path: Path):
    base = make_voc(tmp_path, 2010)
    make_person_mats(tmp_path / "Annotations_Part", "a b c")
    assert contents(person_part(tmp_path)) == {"a": [0, 1, 4]}  # b shows a dog alone
    assert contents(person_part(tmp_path, "val")) == {"c": [0, 1, 4]}
    assert person_part(tmp_path).class_names[4] == "lower arm"
    (base / "ImageSets" / "Main" / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match="split list must exist"):
        person_part(tmp_path, "val")
