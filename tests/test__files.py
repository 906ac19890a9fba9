from pathlib import Path

import pytest

from keras_deeplab._files import check_file, write_atomically


def test_the_file_is_new_when_the_block_ends_and_not_before(tmp_path: Path):
    path = tmp_path / "net.keras"
    path.write_text("old")
    with write_atomically(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.suffix == ".keras"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("net.keras", "new")]


def test_an_error_leaves_the_old_file_alone(tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), write_atomically(path):
        (tmp_path / "gone").read_text()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("log.csv", "old")]


def test_only_files_and_links_to_them_pass(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    check_file(tmp_path / "a.txt", "The list")
    check_file(tmp_path / "link", "The list")
    with pytest.raises(ValueError, match=r"The list must be a file. Received: the folder '"):
        check_file(tmp_path, "The list")
    for missing in (tmp_path / "none", tmp_path / "a.txt" / "b"):
        with pytest.raises(FileNotFoundError, match="The list must exist"):
            check_file(missing, "The list")
