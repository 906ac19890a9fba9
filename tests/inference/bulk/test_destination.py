import pickle
from pathlib import Path

import pytest

from keras_deeplab.inference.bulk import Destination


@pytest.fixture(params=["local", "storage"])
def destination(request, tmp_path: Path):
    if request.param == "storage":
        pytest.importorskip("fsspec")
        found = Destination("memory://bucket/masks/")
    else:
        found = Destination(str(tmp_path / "new" / "masks"))
    found.prepare()
    yield found
    found.close()
    if request.param == "storage":
        found._remote[0].rm("/bucket", recursive=True)


def test_files_are_written_and_read(destination: Destination):
    assert destination.read("a.png") is None
    assert not destination.exists("a.png")
    destination.write("a.png", b"one")
    destination.write("a.png", b"two")
    assert destination.read("a.png") == b"two"
    assert destination.exists("a.png")
    assert pickle.loads(pickle.dumps(destination)) == destination


def test_files_and_folders_are_moved_in(destination: Destination):
    file = destination.unfinished(".npz")
    assert file.suffix == ".npz"
    file.write_bytes(b"array")
    destination.put(file, "sub/a.npz")
    folder = destination.unfinished()
    folder.mkdir()
    (folder / "000001.png").write_bytes(b"frame")
    destination.put(folder, "clip_mask")
    assert destination.read("sub/a.npz") == b"array"
    assert destination.read("clip_mask/000001.png") == b"frame"
    assert not file.exists()
    assert not folder.exists()


def test_local_paths_and_leftovers(tmp_path: Path):
    destination = Destination(str(tmp_path))
    assert destination.shown("a.png") == str(tmp_path / "a.png")
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "half.png").touch()
    destination.prepare()
    assert list(tmp_path.iterdir()) == []
    destination.write("a.png", b"")
    destination.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_workers_find_the_folder_from_another_one(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickle.dumps(Destination("masks"))).folder == str(tmp_path / "masks")


def test_addresses():
    destination = Destination("s3://bucket/masks/")
    assert destination.local is None
    assert destination.shown("a.png") == "s3://bucket/masks/a.png"
