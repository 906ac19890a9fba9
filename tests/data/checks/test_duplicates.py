from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.checks.label_check import check_data
from tests.data.miniatures import SIZE, write_pairs

CLASSES = ["sky", "cat", "dog"]


def kinds(report: DataReport) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, Path(one.file).name) for one in report.findings]


def test_duplicates(tmp_path: Path, photo: np.ndarray):
    for split in ("train", "val"):
        write_pairs(tmp_path / split / "images", tmp_path / split / "masks", "a b c")
    rng = np.random.default_rng(1)
    for split, name in (("val", "a"), ("train", "b"), ("val", "b"), ("val", "c")):
        levels = rng.integers(0, 256, (*SIZE, 3), "uint8")
        Image.fromarray(levels).save(tmp_path / split / "images" / f"{name}.jpg")
    image = tmp_path / "{}" / "images" / "{}.jpg"
    for split, name in (("val", "a"), ("train", "b")):
        Path(str(image).format(split, name)).write_bytes(
            Path(str(image).format("train", "a")).read_bytes()
        )
    for split, quality, step in (("train", 90, 1), ("val", 50, 2)):
        small = photo[::step, ::step]
        Image.fromarray(small).save(Path(str(image).format(split, "c")), quality=quality)
        Image.fromarray(np.zeros(small.shape[:2], "uint8")).save(
            tmp_path / split / "masks" / "c.png"
        )
    report = check_data(tmp_path, class_names=CLASSES)
    assert kinds(report) == [
        ("error", "same image in two splits", "a.jpg"),
        ("warning", "same image twice", "b.jpg"),
        ("warning", "alike in two splits", "c.jpg"),
    ]
    assert report.findings[0].split == "val"
    assert "train/images/c.jpg', all but the same" in report.findings[2].message
    assert check_data(tmp_path, class_names=CLASSES, fast=True).findings == ()
