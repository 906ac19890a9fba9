from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from keras_deeplab.data.masks import lossy_compression


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a.png", {}, None),
        ("a.bmp", {}, None),
        ("a.jpg", {}, "JPEG"),
        ("a.tif", {}, None),
        ("a.tif", {"compression": "tiff_lzw"}, None),
        ("a.tif", {"compression": "jpeg"}, "TIFF with jpeg compression"),
        ("a.webp", {"lossless": True}, None),
        ("a.webp", {"lossless": False}, "lossy WebP"),
        ("a.jp2", {"irreversible": False}, None),
        ("a.jp2", {"irreversible": True}, "lossy JPEG 2000"),
    ],
)
def test_a_codec_is_lossy_or_not(name: str, options: dict, expected: str | None, tmp_path, rng):
    kind = {"a.webp": "webp", "a.jp2": "jpg_2000", "a.tif": "libtiff"}.get(name)
    if kind and not features.check(kind):
        pytest.skip(f"Pillow was built without {kind}")
    path: Path = tmp_path / name
    pixels = rng.integers(0, 256, (40, 40, 3), "uint8")
    Image.fromarray(pixels).save(path, **options)
    with Image.open(path) as image:
        assert lossy_compression(image, path) == expected
        if expected is None:
            np.testing.assert_array_equal(image.convert("RGB"), pixels)


def test_frames_of_an_animation_are_looked_at(tmp_path: Path, rng):
    if not features.check("webp"):
        pytest.skip("Pillow was built without WebP")
    frames = [Image.fromarray(rng.integers(0, 256, (40, 40, 3), "uint8")) for _ in range(2)]
    for lossless, expected in ((True, None), (False, "lossy WebP")):
        path = tmp_path / f"{lossless}.webp"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=lossless)
        with Image.open(path) as image:
            assert lossy_compression(image, path) == expected
