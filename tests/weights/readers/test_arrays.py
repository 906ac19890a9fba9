from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.arrays import convert_arrays, write_arrays


def test_small_variances_survive(tmp_path: Path, rng: np.random.Generator):
    kernel = rng.normal(size=(3, 3, 2, 4)).astype("float32")
    variance = np.array([1e-9, 3e5], "float32")
    write_arrays(tmp_path / "w.npz", {"a/kernel": kernel, "a_bn/moving_variance": variance})
    arrays = convert_arrays(tmp_path / "w.npz")
    assert arrays["a/kernel"].dtype == "float32"
    np.testing.assert_allclose(arrays["a/kernel"], kernel, rtol=5e-4)
    np.testing.assert_array_equal(arrays["a_bn/moving_variance"], variance)


def test_what_float16_cannot_hold_is_refused(tmp_path: Path):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="finite. Received: a/kernel"):
        write_arrays(tmp_path / "w.npz", {"a/kernel": np.full((1, 2), 1e9, "float32")})


def test_a_damaged_file_is_refused(tmp_path: Path):
    write_arrays(tmp_path / "w.npz", {"a/kernel": np.ones((9, 9), "float32")})
    content = (tmp_path / "w.npz").read_bytes()
    (tmp_path / "w.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="must be a valid .npz file.*Install"):
        convert_arrays(tmp_path / "w.npz")
