import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.inference import Segmentation
from keras_deeplab.presets.datasets import voc_palette


@pytest.fixture
def result() -> Segmentation:
    labels = np.where(np.arange(40) < 10, 0, 2)[None].repeat(30, 0).astype("uint8")
    palette = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    photo = np.asarray(palette, "uint8")[labels]
    return Segmentation(photo, labels, ("red", "green", "blue"), palette)


def test_save_writes_mask_and_overlay(result: Segmentation, tmp_path: Path):
    mask, overlay = result.save(tmp_path / "new" / "folder", name="x")
    assert [mask.name, overlay.name] == ["x_mask.png", "x_overlay.png"]
    with Image.open(mask) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), result.labels)
    with Image.open(overlay) as image:
        assert image.size[0] == 40
        assert image.size[1] > 30
    assert result.save(tmp_path, overlay=False) == (tmp_path / "photo_mask.png",)
    assert not (tmp_path / "photo_overlay.png").exists()


def test_overlay_of_a_large_photo_is_reduced(result: Segmentation):
    photo = np.full((100, 4096, 3), 90, "uint8")
    large = replace(result, image=photo, labels=np.zeros((100, 4096), "uint8"))
    assert large.overlay(legend=False).size == (2048, 50)


def test_overlay_blends_the_photo_with_the_colours(result: Segmentation):
    clear = result.overlay(opacity=0, legend=False)
    np.testing.assert_array_equal(np.asarray(clear), result.image)
    covered = np.asarray(result.overlay(opacity=1, legend=False, names=False))
    np.testing.assert_array_equal(covered[15, 20], result.colours[2])


def test_at_most_reduces_photo_and_mask(result: Segmentation):
    kept = replace(result, probabilities=np.zeros((30, 40, 3), "float32"))
    assert kept.at_most(40) is kept
    small = kept.at_most(20)
    assert small.image.shape == (15, 20, 3)
    np.testing.assert_array_equal(small.labels, result.labels[::2, ::2])
    assert small.probabilities is None


def test_one_line_in_python_and_a_picture_in_a_notebook(result: Segmentation):
    assert result.shares() == {"blue": 0.75, "red": 0.25}
    assert repr(result) == "Segmentation(photo, 30x40: blue 75.0%, red 25.0%)"
    with Image.open(io.BytesIO(result._repr_png_())) as image:
        assert image.size[0] == 40


def test_a_full_disk_leaves_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    labels = np.zeros((4, 4), "uint8")
    result = Segmentation(np.zeros((4, 4, 3), "uint8"), labels, ("a", "b"), voc_palette(2))
    (old,) = result.save(tmp_path, overlay=False)
    content = old.read_bytes()

    def save(self: Image.Image, path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OSError, match="No space left"):
        result.save(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        result.save(tmp_path, name="new")
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(old, content)]
