import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.annotations.annotated import upright_size
from keras_deeplab.data.images import read_image


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"Received: 'a.HEIC'. Run: pip install .*\[heic\]"):
        read_image("a.HEIC")


def test_a_photo_is_read(tmp_path: Path):
    pillow_heif = pytest.importorskip("pillow_heif")
    photo = np.zeros((64, 96, 3), "uint8")
    photo[:, :48], photo[:, 48:] = (200, 30, 30), (30, 30, 200)
    pillow_heif.from_pillow(Image.fromarray(photo)).save(tmp_path / "a.heic", quality=95)
    assert upright_size(tmp_path / "a.heic") == (64, 96)
    read = read_image(tmp_path / "a.heic")
    assert read.shape == (64, 96, 3)
    # The codec is lossy.
    assert np.abs(read[:, :40].astype(int) - (200, 30, 30)).max() < 12
    assert np.abs(read[:, 56:].astype(int) - (30, 30, 200)).max() < 12
