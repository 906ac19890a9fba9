from pathlib import Path

import pytest

from keras_deeplab._files import (
    check_file,
    make_folder,
    naming_file,
    read_text,
    write_atomically,
    write_text,
)


def test_the_file_is_new_when_the_block_ends_and_not_before(tmp_path: Path):
    path = tmp_path / "net.keras"
    path.write_text("old")
    with write_atomically(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.suffix == ".keras"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("net.keras", "new")]


def test_text_is_utf_8_and_replaces_the_old(tmp_path: Path):
    path = tmp_path / "names.txt"
    path.write_text("old and longer")
    assert write_text(path, "Straße\n") == path
    assert path.read_bytes() == "Straße\n".encode()
    assert list(tmp_path.iterdir()) == [path]


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "ascii"])
def test_text_in_every_encoding_that_says_what_it_is(tmp_path: Path, encoding: str):
    text = "tree\r\nroad\n" if encoding == "ascii" else "Straße\r\nBäume\n空\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "a.txt") == text


def test_utf_16_of_both_byte_orders(tmp_path: Path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        (tmp_path / "a.txt").write_bytes(mark + "空".encode(encoding))
        assert read_text(tmp_path / "a.txt") == "空"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be"])
def test_text_in_another_encoding_names_file_and_remedy(tmp_path: Path, encoding: str):
    (tmp_path / "a.txt").write_bytes("tree\nStraße\n".encode(encoding))
    with pytest.raises(ValueError, match=r"a\.txt'.*Save it as UTF-8"):
        read_text(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes("tree\nStraße\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"Windows-1252 \(ANSI\), in line 2"):
        read_text(tmp_path / "a.txt")


def test_errors_without_a_name_get_it(tmp_path: Path):
    with pytest.raises(OSError, match="No space left.*'.*a.csv'"), naming_file(tmp_path / "a.csv"):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError, match="b.csv"), naming_file(tmp_path / "a.csv"):
        (tmp_path / "b.csv").read_text()


def test_a_folder_to_write_to_is_no_file(tmp_path: Path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "c"):
        with pytest.raises(ValueError, match="must not be a file, nor be in one. Received: .*file"):
            make_folder(path)
