from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_deeplab.weights.readers.safetensors_file import read_safetensors


def test_reads_what_the_library_writes(tmp_path: Path, rng: np.random.Generator):
    tensors = {"a.b": rng.normal(size=(2, 3)).astype("float32"), "c": np.zeros((), "float32")}
    save_file(tensors, tmp_path / "x.safetensors")
    read = read_safetensors(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_bfloat16_is_widened(tmp_path: Path):
    # bfloat16 is the upper half of float32: 1.0 is 0x3F80, -2.5 is 0xC020.
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    data = np.array([0x3F80, 0xC020], "<u2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert read_safetensors(tmp_path / "x.safetensors")["a"].tolist() == [1.0, -2.5]


def test_types_that_are_not_read_are_damage(tmp_path: Path):
    header = b'{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ValueError, match=r"must be complete. Received: .*x\.safetensors"):
        read_safetensors(path)
