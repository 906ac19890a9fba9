from pathlib import Path

from keras_deeplab.data.formats.pairing import Entries, entries, listed_once


def test_entries(tmp_path: Path):
    for name in ("b.jpg", "a.png", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert entries(tmp_path) == Entries(("a.png", "b.jpg", "circle"), ("inner",))
    assert entries(tmp_path / "missing") == entries(tmp_path / "a.png") == Entries((), ())


def test_folders_are_listed_once_within_a_task(tmp_path: Path):
    with listed_once():
        assert entries(tmp_path).files == ()
        (tmp_path / "a").touch()
        with listed_once():
            assert entries(tmp_path).files == ()
    assert entries(tmp_path).files == ("a",)
