"""Images for calibration and comparison."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.exports.photos import (
    CALIBRATED,
    calibration_batches,
    find_photos,
    sample_images,
)

PHOTO = np.full((40, 80, 3), 100, "uint8")


def test_photos_of_a_folder(tmp_path: Path):
    for name in ("b.png", "a.jpg", "notes.txt"):
        path = tmp_path / name
        path.write_text("no photo") if name == "notes.txt" else Image.fromarray(PHOTO).save(path)
    assert [Path(p).name for p in find_photos(tmp_path)] == ["a.jpg", "b.png"]
    assert find_photos(tmp_path / "a.jpg") == [tmp_path / "a.jpg"]


def test_many_photos_are_thinned_out_evenly():
    found = find_photos(range(3 * CALIBRATED))
    assert found == list(range(0, 3 * CALIBRATED, 3))


@pytest.mark.parametrize(
    ("source", "error"), [("missing", FileNotFoundError), ([], ValueError), (3, TypeError)]
)
def test_wrong_sources(source, error: type[Exception]):
    with pytest.raises(error, match="representative_data.*Received"):
        find_photos(source)


def test_calibration_covers_all_levels():
    first, second = calibration_batches([PHOTO, PHOTO], size=(32, 32), batch=2)
    assert first.shape == second.shape == (2, 32, 32, 3)
    assert first.dtype == "float32"
    assert (first.min(), first.max()) == (0, 255)
    # The photo fills the upper half; below it is the padding.
    assert (second[:, :16] == 100).all()


def test_photos_are_compared_at_two_sizes():
    images = sample_images([PHOTO] * 3, size=(None, 64), usual=(48, 48), batch=1)
    assert [image.shape for image in images] == [(1, 48, 64, 3), (1, 24, 64, 3), (1, 48, 64, 3)]


def test_synthetic_images_differ():
    images = sample_images([], size=(None, None), usual=(48, 48), batch=2)
    assert [image.shape[0] for image in images] == [2, 2]
    assert images[0].shape != images[1].shape
    assert all(image.std() > 10 and (image[0] != image[1]).any() for image in images)
