from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.mat_file import has_person_parts, read_mat, read_mat_mask
from tests.data.miniatures import SIZE, make_person_mats, make_sbd, save_mat


@pytest.mark.parametrize("compressed", [False, True])
def test_values_are_those_that_scipy_wrote(tmp_path: Path, compressed: bool):
    scipy_io = pytest.importorskip("scipy.io")
    sparse = pytest.importorskip("scipy.sparse")
    cell = np.empty((1, 2), object)
    cell[0] = [np.array([[1, 2]], "uint16"), "text"]
    written = {
        "double": np.arange(6.0).reshape(2, 3),
        "small": np.array([[7]], "int8"),
        "text": "äb",
        "cell": cell,
        "sparse": sparse.csc_matrix(np.eye(3)),
        "struct": {"field": np.array([[1.5]]), "a_name_that_is_rather_long": "x"},
    }
    scipy_io.savemat(tmp_path / "a.mat", written, do_compression=compressed)
    read = read_mat(tmp_path / "a.mat")
    np.testing.assert_array_equal(read["double"], written["double"])
    assert read["small"].tolist() == [[7]]
    assert read["text"] == "äb"
    assert read["cell"][0].tolist() == [[1, 2]]
    assert read["cell"][1] == "text"
    assert read["sparse"] is None
    assert read["struct"][0]["field"].tolist() == [[1.5]]
    assert read["struct"][0]["a_name_that_is_rather_long"] == "x"


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
    save_mat(tmp_path / "a.mat", {"LabelMap": np.array([[0.0, 459.0]])})
    assert read_mat_mask(tmp_path / "a.mat").dtype == np.uint16


def test_other_files(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="must exist"):
        read_mat(tmp_path / "none.mat")
    (tmp_path / "a.mat").write_bytes(b"x" * 200)
    with pytest.raises(ValueError, match="of level 5"):
        read_mat(tmp_path / "a.mat")
    save_mat(tmp_path / "b.mat", {"other": np.eye(3)})
    with pytest.raises(ValueError, match=r"GTcls .* with other"):
        read_mat_mask(tmp_path / "b.mat")
    (tmp_path / "c.mat").write_bytes((tmp_path / "b.mat").read_bytes()[:-30])
    with pytest.raises(ValueError, match="must be whole"):
        read_mat(tmp_path / "c.mat")
