from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.checks.label_check import check_data
from keras_deeplab.data.checks.sheet import label_sheet
from keras_deeplab.visualize import DISPLAY_COLOURS
from tests.data.miniatures import SIZE, write_image, write_mask, write_pairs


def colours(report_folder: Path, **options: object) -> set[tuple[int, ...]]:
    sheet = np.asarray(label_sheet(check_data(report_folder, **options)))
    return set(map(tuple, sheet.reshape(-1, 3).tolist()))


def test_a_sheet_shows_images_labels_and_legend(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c d")
    report = check_data(tmp_path)
    sheet = label_sheet(report)
    assert sheet.width >= 3 * 2 * 240
    assert sheet.height >= 2 * 180
    assert label_sheet(report, number=1).height < 300
    assert {(0, 0, 0), *DISPLAY_COLOURS[:2]} <= colours(tmp_path)


def test_errors_come_first_in_magenta(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c")
    labels = np.zeros(SIZE, int)
    labels[:, 4:] = 200
    write_mask(tmp_path / "masks" / "c.png", labels)
    write_image(tmp_path / "images" / "c.png")
    (tmp_path / "images" / "c.jpg").unlink()
    report = check_data(tmp_path, class_names=["x", "y", "z"])
    first = np.asarray(label_sheet(report, number=1))[:, :480]
    reddish = (first[..., 0].astype(int) - first[..., 1] > 150).mean()
    assert reddish > 0.05
    (tmp_path / "masks" / "c.png").write_bytes(b"")
    assert label_sheet(check_data(tmp_path, class_names=["x", "y", "z"])).width >= 480


def test_nothing_to_show(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / "images" / "a.jpg").write_text("")
    with pytest.raises(ValueError, match="can be read"):
        label_sheet(check_data(tmp_path, class_names=["x", "y", "z"]))
