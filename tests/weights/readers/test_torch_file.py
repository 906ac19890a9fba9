import argparse
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.torch_file import read_torch_file
from tests.reference.torch_file_writer import legacy_file, state_dict, text, zip_file


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


def test_a_tensor_of_no_storage_is_refused(tmp_path: Path):
    arrays = {"a": np.ones(4, "float32")}
    # "Q" makes a storage of the tuple before it; without it the tuple stays.
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays).replace(b"tQ", b"t"), arrays))
    with pytest.raises(ValueError, match=r"net\.pth.*makes a tensor of .*, which is no storage"):
        read_torch_file(tmp_path / "net.pth")


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


def test_entries_of_trainings(tmp_path: Path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3, 4, 4)).sum().backward()
    optimizer.step()
    state = network.state_dict()
    average = torch.optim.swa_utils.AveragedModel(network).state_dict()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3).state_dict()
    training = {"optimizer": optimizer.state_dict(), "lr_scheduler": scheduler, "epoch": 3}
    for content in (
        state,
        {"model": state, **training, "args": argparse.Namespace(lr=0.1, device="cpu")},
        {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        {"model_state_dict": {f"_orig_mod.module.{n}": t for n, t in state.items()}, **training},
        {"state_dict": {f"model.net.{n}": t for n, t in state.items()}, "callbacks": {}},
        {"model": {"state_dict": state}, "best": np.float64(0.5)},
        average,
        network,
        {"epoch": 1, "model": network, **training},
    ):
        torch.save(content, tmp_path / "net.pth")
        read = read_torch_file(tmp_path / "net.pth")
        assert list(read) == list(state)
        for name, tensor in state.items():
            np.testing.assert_array_equal(read[name], tensor.numpy())


def test_a_program_is_named(tmp_path: Path):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "net.pt"))
    with pytest.raises(ValueError, match=r"net.pt.*a program of torch.jit.save"):
        read_torch_file(tmp_path / "net.pt")


@pytest.mark.parametrize("content", [[1, 2], "text", 3, None, {"a": [1]}, {"model": {"model": {}}}])
def test_what_holds_no_tensors_is_refused(content, tmp_path: Path):
    (tmp_path / "net.pth").write_bytes(zip_file(pickle.dumps(content, 2)))
    with pytest.raises(ValueError, match=f"net.pth, an object of type {type(content).__name__} wi"):
        read_torch_file(tmp_path / "net.pth")


def test_deep_nesting_is_read_or_refused(tmp_path: Path):
    depth, path = 100_000, tmp_path / "net.pth"
    entry = text("model")
    path.write_bytes(zip_file(b"\x80\x02" + (b"}" + entry) * depth + b"N" + b"s" * depth + b"."))
    with pytest.raises(ValueError, match=r"net.pth, an object of type dict without tensors"):
        read_torch_file(path)
    # 7 entries of each dict are the next dict: 7 ** 60 ways through 60 dicts.
    keys = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
    nested: dict = {}
    for _ in range(60):
        nested = dict.fromkeys(keys, nested)
    path.write_bytes(zip_file(pickle.dumps(nested, 2)))
    with pytest.raises(ValueError, match=r"net.pth, an object of type dict without tensors"):
        read_torch_file(path)


def test_a_module_that_contains_another_twice(tmp_path: Path):
    module = b"cnet\nModule\n)R}(" + text("_modules") + b"}(%b%bu" + b"ub"
    content = b"N"
    for index in range(40):
        # The first child is the module before; the second is the same, from the memo.
        memo = b"q" + bytes([index])
        content = module.replace(b"%b%b", text("a") + content + memo + text("b") + b"h" + memo[1:])
    path = tmp_path / "net.pth"
    path.write_bytes(zip_file(b"\x80\x02" + content + b"."))
    with pytest.raises(ValueError, match=r"net.pth, an object of type net.Module without tensors"):
        read_torch_file(path)
