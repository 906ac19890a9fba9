"""Small files that would take gigabytes of memory are refused by every reader of weights."""

import io
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.arrays import convert_arrays
from keras_deeplab.weights.readers.caffe import convert_caffe
from keras_deeplab.weights.readers.safetensors_file import read_safetensors
from keras_deeplab.weights.readers.tf_slim import convert_tf_slim
from keras_deeplab.weights.readers.torch_file import read_torch_file
from tests.reference.torch_file_writer import legacy_file, state_dict, zip_file

CHUNK = bytes(1 << 24)


def zip_bomb(path: Path, member: str) -> Path:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        for _ in range(20):
            file.write(CHUNK)
    return path


class Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        return bytes(size)


def test_archives(tmp_path: Path):
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in ("other", "model.ckpt-1.index"):
            info = tarfile.TarInfo(name)
            info.size = 20 * len(CHUNK)
            archive.addfile(info, Zeros(info.size))
    tracemalloc.start()
    for read, file in [
        (convert_tf_slim, tmp_path / "bomb.tar.gz"),
        (convert_arrays, zip_bomb(tmp_path / "bomb.npz", "a.npy")),
        (
            lambda path: convert_caffe(path, member="a.caffemodel"),
            zip_bomb(tmp_path / "bomb.zip", "a.caffemodel"),
        ),
    ]:
        with pytest.raises(ValueError, match=f"{file.name}.* more than a hundred times its size"):
            read(file)
    assert tracemalloc.get_traced_memory()[1] < 2e8
    tracemalloc.stop()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_with_a_memo_of_billions(tmp_path: Path, legacy: bool):
    arrays = {"a": np.arange(4.0, dtype="float32")}
    whole = legacy_file(arrays) if legacy else zip_file(state_dict(arrays), arrays)
    memo = pickle.PROTO + b"\x02" + pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", 1 << 29)
    memo += pickle.STOP
    path = tmp_path / "net.pth"
    if legacy:
        path.write_bytes(memo + whole)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", memo)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"net\.pth"):
        read_torch_file(path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_torch_file(path)["a"], np.arange(4))


def test_many_tensors_are_read_in_linear_time(tmp_path: Path):
    from safetensors.numpy import save_file

    arrays = {f"t{number}": np.full(300, number, "float32") for number in range(3000)}
    save_file(arrays, tmp_path / "net.safetensors")
    read = read_safetensors(tmp_path / "net.safetensors")
    assert read.keys() == arrays.keys()
    assert all((read[name] == arrays[name]).all() for name in arrays)
