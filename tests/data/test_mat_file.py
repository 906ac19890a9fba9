import sys
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.mat_file import has_person_parts, read_mat_mask
from tests.data.miniatures import SIZE, make_person_mats, make_sbd, save_mat


def test_masks_of_sbd_and_parts(tmp_path: Path):
    base = make_sbd(tmp_path)
    assert (read_mat_mask(base / "cls" / "b.mat") == 11).all()
    make_person_mats(tmp_path, "a b")
    expected = np.zeros(SIZE, int)
    expected[0], expected[-1] = 1, 4
    np.testing.assert_array_equal(read_mat_mask(tmp_path / "a.mat"), expected)
    assert not read_mat_mask(tmp_path / "b.mat").any()
    assert has_person_parts(tmp_path / "a.mat")
    assert not has_person_parts(tmp_path / "b.mat")


def test_context_ids_need_16_bits(tmp_path: Path):
    save_mat(tmp_path / "a.mat", {"LabelMap": np.array([[0.0, 459.0], [1.0, 2.0]])})
    labels = read_mat_mask(tmp_path / "a.mat")
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[0, 459], [1, 2]]


def test_other_files(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="must exist"):
        read_mat_mask(tmp_path / "none.mat")
    (tmp_path / "a.mat").write_bytes(b"x" * 200)
    with pytest.raises(ValueError, match=r"must be valid.*a\.mat"):
        read_mat_mask(tmp_path / "a.mat")
    save_mat(tmp_path / "b.mat", {"other": np.eye(3)})
    with pytest.raises(ValueError, match=r"GTcls .* with other"):
        read_mat_mask(tmp_path / "b.mat")
    (tmp_path / "c.mat").write_bytes((tmp_path / "b.mat").read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"must be valid.*c\.mat"):
        read_mat_mask(tmp_path / "c.mat")


def test_the_extra_is_named_where_scipy_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ModuleNotFoundError, match=r"keras-deeplab\[pascal\]"):
        read_mat_mask(tmp_path / "a.mat")
