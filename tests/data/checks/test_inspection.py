from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.checks.inspection import inspect_example, is_interpolated
from keras_deeplab.data.formats import read_folder
from tests.data.miniatures import SIZE, write_pairs


@pytest.fixture
def mask() -> np.ndarray:
    """Discs of ids 8 and 15 on 0."""
    y, x = np.mgrid[:80, :90]
    labels = np.zeros((80, 90), "uint8")
    labels[(y - 30) ** 2 + (x - 30) ** 2 < 400] = 8
    labels[(y - 45) ** 2 + (x - 60) ** 2 < 300] = 15
    return labels


@pytest.mark.parametrize("size", [(135, 120), (45, 40), (91, 81)])
def test_interpolated_masks(mask: np.ndarray, size: tuple[int, int]):
    image = Image.fromarray(mask)
    assert not is_interpolated(mask, 255)
    assert not is_interpolated(np.asarray(image.resize(size, Image.Resampling.NEAREST)), 255)
    assert is_interpolated(np.asarray(image.resize(size, Image.Resampling.BILINEAR)), 255)


def test_borders_that_are_ignored_do_not_count(mask: np.ndarray):
    mask[mask == 15] = 0
    smooth = np.asarray(Image.fromarray(mask).resize((135, 120), Image.Resampling.BILINEAR))
    assert is_interpolated(smooth, 255)
    ignored = np.where(np.isin(smooth, (0, 8)), smooth, 255)
    assert not is_interpolated(ignored, 255)


@pytest.mark.parametrize("path", ["camvid/train/labels", "coco128_voc/labels", "photos/masks"])
def test_no_published_mask_is_taken_for_interpolated(shared: Path, path: str):
    masks = sorted((shared / "data" / path).iterdir())
    ignored = 11 if "camvid" in path else 255
    for mask in masks[:: max(1, len(masks) // 40)]:
        assert not is_interpolated(np.asarray(Image.open(mask)), ignored)


def test_an_inspection_holds_what_it_saw(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    data = read_folder(tmp_path)
    full = inspect_example(data, 0, "all", read_pixels=True, read_labels=True)
    assert full.size == SIZE
    assert full.counts.sum() == SIZE[0] * SIZE[1]
    assert full.thumbnail.shape == (16, 16)
    assert len(full.digest) == 32
    headers = inspect_example(data, 0, "all", read_pixels=False, read_labels=False)
    assert headers.size == SIZE
    assert headers.counts.size == headers.thumbnail.size == 0
    assert full.findings == headers.findings == []
