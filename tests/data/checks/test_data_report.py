from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.checks.data_report import DataReport
from keras_deeplab.data.checks.label_check import check_data
from tests.data.miniatures import SIZE, write_image, write_mask, write_pairs

CLASSES = ["sky", "cat", "dog"]


def kinds(report: DataReport) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, Path(one.file).name) for one in report.findings]


def test_shares_and_weights_by_hand(tmp_path: Path):
    first, second = np.zeros((2, *SIZE), int)
    first[:, :2] = 1  # 12 of 48 pixels
    second[0, :] = 255  # 40 labelled pixels
    second[1, :4] = 2  # 4 of them
    for name, labels in (("a", first), ("b", second)):
        write_image(tmp_path / "images" / f"{name}.jpg", ord(name))
        write_mask(tmp_path / "masks" / f"{name}.png", labels)
    report = check_data(tmp_path, class_names=[*CLASSES, "cow"])
    summary = report.splits["all"]
    assert summary.pixels.tolist() == [72, 12, 4, 0]
    assert summary.ignored == 8
    assert summary.shares() == pytest.approx([72 / 88, 12 / 88, 4 / 88, 0])
    # frequencies 72/88, 12/48, 4/40; their median is 1/4
    assert report.class_weights() == pytest.approx([0.3056, 1, 2.5, 1], abs=1e-4)
    assert kinds(report) == [("warning", "class absent", "masks")]
    assert "without cow" in report.findings[0].message
    lines = str(report).splitlines()
    assert lines[-3].split() == ["1", "cat", "13.64%", "1", "1.00"]
    described = report.to_dict()
    assert described["splits"]["all"]["images_with"] == [2, 1, 1, 0]
    assert described["class_weights"] == list(report.class_weights())


def test_many_findings_are_cut_short(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c d e f g h", classes=5)
    text = str(check_data(tmp_path, class_names=CLASSES))
    assert "error: label out of range (8)" in text
    assert "  and 3 more" in text
