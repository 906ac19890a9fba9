import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.images import folder_images, read_image

GREY = np.arange(6, dtype="uint8").reshape(2, 3) * 40


def test_file_pil_and_array_are_the_same(tmp_path: Path, rng: np.random.Generator):
    array = rng.integers(0, 256, (5, 7, 3), "uint8")
    Image.fromarray(array).save(tmp_path / "a.png")
    for source in (array, Image.fromarray(array), tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(read_image(source), array)


def test_grey_becomes_rgb():
    expected = np.repeat(GREY[..., None], 3, axis=-1)
    for source in (GREY, GREY[..., None], Image.fromarray(GREY)):
        np.testing.assert_array_equal(read_image(source), expected)


def test_exif_orientation_turns_the_photo_upright(tmp_path: Path):
    image = Image.fromarray(np.repeat(GREY[..., None], 3, axis=-1))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 270 degrees
    image.save(tmp_path / "a.png", exif=exif)
    expected = np.rot90(np.asarray(image), -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_transparent_pixels_are_white():
    rgba = np.zeros((1, 2, 4), "uint8")
    rgba[0, 0] = (10, 20, 30, 255)
    for source in (rgba, Image.fromarray(rgba)):
        assert read_image(source).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_palette_and_transparent_palette():
    image = Image.fromarray(np.array([[0, 1]], "uint8"))
    image.putpalette([9, 8, 7, 1, 2, 3])
    assert read_image(image).tolist() == [[[9, 8, 7], [1, 2, 3]]]
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    assert read_image(Image.open(buffer)).tolist() == [[[255, 255, 255], [1, 2, 3]]]


def test_sixteen_bits_are_scaled(tmp_path: Path):
    levels = np.array([[0, 257, 65535]], "uint16")
    Image.fromarray(levels).save(tmp_path / "a.png")
    for source in (levels, tmp_path / "a.png"):
        assert read_image(source)[0, :, 0].tolist() == [0, 1, 255]


def test_cmyk_and_bilevel():
    assert read_image(Image.new("CMYK", (1, 1), (0, 255, 255, 0))).tolist() == [[[255, 0, 0]]]
    assert read_image(Image.new("1", (1, 1), 1)).tolist() == [[[255, 255, 255]]]


def test_float_levels():
    np.testing.assert_array_equal(read_image(GREY.astype("float64")), read_image(GREY))
    np.testing.assert_array_equal(read_image(np.zeros((2, 2, 3))), np.zeros((2, 2, 3)))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((2, 2, 3), 0.5), "look like 0-1. Multiply it by 255"),
        (np.full((2, 2, 3), np.nan), "finite levels 0-255"),
        (np.full((2, 2, 3), 300.0), "finite levels 0-255"),
        (np.full((2, 2, 3), -1), "levels 0-255. Received: -1"),
        (np.zeros((2, 2, 2), "uint8"), r"Received: shape=\(2, 2, 2\)"),
        (np.zeros((0, 2, 3), "uint8"), r"Received: shape=\(0, 2, 3\)"),
        (np.zeros((2, 2), bool), "must hold numbers. Received: dtype=bool"),
        (np.array("text"), r"Received: shape=\(\)"),
    ],
)
def test_wrong_arrays(array: np.ndarray, words: str):
    with pytest.raises(ValueError, match=words):
        read_image(array)


def test_float_tiff_is_refused():
    with pytest.raises(ValueError, match="float levels.*Scale the image to 8 bits"):
        read_image(Image.fromarray(np.ones((2, 2), "float32")))


def test_broken_files(tmp_path: Path, rng: np.random.Generator):
    path = tmp_path / "a.jpg"
    with pytest.raises(FileNotFoundError, match=r"must exist. Received: .*a\.jpg"):
        read_image(path)
    with pytest.raises(ValueError, match="must be a file. Received: the folder"):
        read_image(tmp_path)
    path.write_text("not an image")
    with pytest.raises(ValueError, match=r"Pillow reads.*a\.jpg'?, 12 bytes"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.jpg'?, 0 bytes"):
        read_image(path)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), "uint8")).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"whole file.*a\.jpg.*cut short"):
        read_image(path)


def test_folder_images(tmp_path: Path):
    with pytest.raises(ValueError, match="must hold images"):
        list(folder_images(tmp_path))
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.png").mkdir()
    assert [path.name for path in folder_images(tmp_path)] == ["a.png", "b.JPG"]
