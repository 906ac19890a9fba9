from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data import heic
from keras_deeplab.data.images import read_image


def test_other_files_need_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heic, "HEIC_SUFFIXES", frozenset())
    heic.prepare_heic(".jpg", "a.jpg")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heic, "HEIC_SUFFIXES", frozenset())
    with pytest.raises(ValueError, match=r"Received: 'a.heic'. Run: pip install .*\[heic\]"):
        heic.prepare_heic(".heic", "a.heic")


def test_a_photo_is_read(tmp_path: Path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    photo = np.zeros((64, 96, 3), "uint8")
    photo[:, :48], photo[:, 48:] = (200, 30, 30), (30, 30, 200)
    Image.fromarray(photo).save(tmp_path / "a.heic", quality=95)
    read = read_image(tmp_path / "a.heic")
    assert read.shape == (64, 96, 3)
    # The codec is lossy.
    assert np.abs(read[:, :40].astype(int) - (200, 30, 30)).max() < 12
    assert np.abs(read[:, 56:].astype(int) - (30, 30, 200)).max() < 12
