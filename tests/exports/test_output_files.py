"""Output paths of exports."""

import os
import time
from pathlib import Path

import pytest

from keras_deeplab.exports.output_files import (
    byte_count,
    check_writable,
    put,
    resolve_format,
    unfinished,
)


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("net.tflite", None, "tflite"),
        ("net.ONNX", None, "onnx"),
        ("net", None, "saved_model"),
        ("net.v2", "saved_model", "saved_model"),
    ],
)
def test_formats(path: str, format: str | None, expected: str):
    assert resolve_format(Path(path), format) == expected


@pytest.mark.parametrize(
    ("path", "format"),
    [("net.keras", None), ("net.pt", "onnx"), ("net", "tflite"), ("net.onnx", "saved_model")],
)
def test_suffixes_of_other_formats(path: str, format: str | None):
    with pytest.raises(ValueError, match="path must"):
        resolve_format(Path(path), format)


def test_what_may_be_replaced(tmp_path: Path):
    check_writable(tmp_path / "new" / "net", "saved_model")
    assert (tmp_path / "new").is_dir()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").touch()
    with pytest.raises(ValueError, match="folder of other files"):
        check_writable(tmp_path / "others", "saved_model")
    with pytest.raises(ValueError, match="path must be a file"):
        check_writable(tmp_path / "others", "onnx")
    (tmp_path / "others" / "saved_model.pb").touch()
    check_writable(tmp_path / "others", "saved_model")
    with pytest.raises(PermissionError, match="can be made"):
        check_writable(tmp_path / "others" / "notes.txt" / "net.onnx", "onnx")


def test_unfinished_exports_leave_nothing(tmp_path: Path):
    def fail() -> None:
        with unfinished(tmp_path / "net.onnx") as partial:
            partial.write_bytes(b"half")
            assert [p.suffix for p in tmp_path.iterdir()] == [".onnx"]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_finished_exports_replace_old_ones(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    with unfinished(path) as partial:
        partial.write_bytes(b"newer")
        put(partial, path, "{}")
    assert byte_count(path) == 5
    assert path.read_bytes() == b"newer"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "net.onnx.json"]


def test_finished_folders_replace_old_ones(tmp_path: Path):
    path = tmp_path / "net"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"old")
    with unfinished(path) as partial:
        partial.mkdir()
        (partial / "saved_model.pb").write_bytes(b"new")
        put(partial, path, "{}")
    assert (path / "saved_model.pb").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert byte_count(path) == 5


def test_leftovers_of_killed_exports_are_removed(tmp_path: Path):
    for name, age in {".net.11": 2, ".net.22": 0, ".net.old": 2, ".net.11.onnx": 2}.items():
        (tmp_path / name).mkdir()
        then = time.time() - age * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    with unfinished(tmp_path / "net"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".net.11.onnx", ".net.22", ".net.old"]


def test_a_description_that_cannot_be_written_is_removed(tmp_path: Path):
    def fail() -> None:
        with unfinished(tmp_path / "net.onnx") as partial:
            partial.write_bytes(b"whole")
            partial.with_name(f"{partial.name}.json").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, rename = tmp_path / "net", Path.rename
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"old")

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith(str(os.getpid())):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with unfinished(path) as partial:
        partial.mkdir()
        with pytest.raises(OSError, match="No space"):
            put(partial, path, "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert (path / "saved_model.pb").read_bytes() == b"old"
