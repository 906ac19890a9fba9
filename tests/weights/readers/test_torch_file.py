import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.torch_file import read_torch_file
from tests.reference.torch_file_writer import legacy_file, state_dict, zip_file


@pytest.fixture
def arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "conv.weight": rng.normal(size=(2, 3, 1, 1)).astype("float32"),
        "conv.bias": rng.normal(size=2),
        "bn.num_batches_tracked": np.array(7),
        "half": rng.normal(size=(3,)).astype("float16"),
    }


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_reads_every_tensor(form: str, arrays, tmp_path: Path):
    file = tmp_path / "net.pth"
    file.write_bytes(zip_file(state_dict(arrays), arrays) if form == "zip" else legacy_file(arrays))
    read = read_torch_file(file)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_bfloat16_is_widened(tmp_path: Path):
    # The upper halves of 1.0, -2.0 and 0.5 in float32.
    arrays = {"w": np.array([0x3F80, 0xC000, 0x3F00], "uint16")}
    (tmp_path / "w.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    assert read_torch_file(tmp_path / "w.pth")["w"].tolist() == [1.0, -2.0, 0.5]


@pytest.mark.parametrize("legacy", [False, True])
def test_reads_what_torch_saves(legacy: bool, tmp_path: Path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {
        "whole": whole,
        "transposed": whole.permute(2, 0, 1),
        "part": whole[1, 1:],
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "bfloat": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    content = {"meta": {"epoch": 3, "config": "x = 1"}, "state_dict": state}
    file = tmp_path / "net.pth"
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    read = read_torch_file(file)
    assert list(read) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor.detach().float().numpy())


class Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("form", ["zip", "legacy", "magic"])
def test_a_pickle_that_wants_more_is_refused(form: str, arrays, tmp_path: Path):
    victim = tmp_path / "victim"
    attack = pickle.dumps({"w": Malicious(f"touch {victim}")})
    data = legacy_file(arrays)
    good = state_dict(arrays, legacy=True)
    content = {
        "zip": zip_file(attack),
        "legacy": data.replace(good, attack),
        "magic": attack + data,
    }[form]
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"net.pth.*asks for (posix|nt).system, which is no"):
        read_torch_file(tmp_path / "net.pth")
    assert not victim.exists()


@pytest.mark.parametrize(
    "reference", ["cbuiltins\neval\n", "ctorch._utils\n__builtins__\n", "ctorch\nload\n"]
)
def test_only_tensors_are_admitted(reference: str, tmp_path: Path):
    content = b"\x80\x02" + reference.encode() + b"."
    (tmp_path / "net.pth").write_bytes(zip_file(content))
    with pytest.raises(ValueError, match="which is no tensor"):
        read_torch_file(tmp_path / "net.pth")


def test_damaged_files_are_refused(arrays, tmp_path: Path):
    file = tmp_path / "net.pth"
    for data in (zip_file(state_dict(arrays), arrays), legacy_file(arrays)):
        for length in (0, 1, 30, 200, len(data) // 2, len(data) - 40, len(data) - 1):
            file.write_bytes(data[:length])
            with pytest.raises(ValueError, match=r"Received: .*net.pth"):
                read_torch_file(file)


def test_any_changed_byte_is_an_answer_or_a_value_error(arrays, tmp_path: Path, rng):
    file = tmp_path / "net.pth"
    for data in (zip_file(state_dict(arrays), arrays), legacy_file(arrays)):
        for position in rng.integers(0, len(data), 300):
            changed = bytearray(data)
            changed[position] ^= int(rng.integers(1, 256))
            file.write_bytes(changed)
            try:
                read_torch_file(file)
            except ValueError as error:
                assert "net.pth" in str(error)  # noqa: PT017 - most changes are harmless


def test_a_tensor_beyond_its_storage_is_named(tmp_path: Path):
    arrays = {"good": np.ones(4, "float32")}
    for options in (dict(shape=(5,)), dict(offset=1), dict(shape=(-1,))):
        file = tmp_path / "net.pth"
        file.write_bytes(zip_file(state_dict(arrays, **options), arrays))
        with pytest.raises(ValueError, match=r"tensor 'good' must be inside.*net.pth"):
            read_torch_file(file)


def test_what_would_fill_the_memory_is_refused(tmp_path: Path):
    arrays = {"w": np.broadcast_to(np.zeros(1, "float32"), (1000,))}
    file = tmp_path / "net.pth"
    file.write_bytes(zip_file(state_dict(arrays), {"w": np.zeros(1, "float32")}))
    with pytest.raises(ValueError, match="'w' must be inside.*repeats the 1 numbers"):
        read_torch_file(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"")
        archive.writestr("archive/data/0", bytes(10_000))
    with pytest.raises(ValueError, match="entries are compressed"):
        read_torch_file(file)


def test_a_file_without_tensors_is_refused(tmp_path: Path):
    (tmp_path / "net.pth").write_bytes(zip_file(pickle.dumps([1, 2])))
    with pytest.raises(ValueError, match="must hold a dict of tensors"):
        read_torch_file(tmp_path / "net.pth")
    with pytest.raises(FileNotFoundError):
        read_torch_file(tmp_path / "none.pth")
