from pathlib import Path

import pytest

from keras_deeplab.data.formats.pairing import (
    files_by_stem,
    find_folder,
    is_mask_name,
    mask_of,
    need_folder,
    read_names,
    stem,
)


def test_stems_keep_dots_that_are_no_suffix():
    assert stem("images/2007.1.jpg") == stem("2007.1") == "2007.1"
    assert stem("a.mat") == "a"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a", "a"),
        ("a.JPG", "a"),
        ("/JPEGImages/a.jpg /SegmentationClassAug/a.png", "a"),
        ("a.jpg a.png", "a"),
        ("x/a.jpg,y/a.png", "a"),
        ("2008_000002 -1", "2008_000002"),
        ("x\\a.jpg", "a"),
        ("my cat 2.jpg", "my cat 2"),
        ("my cat", "my cat"),
    ],
)
def test_lines_of_split_lists(tmp_path: Path, line: str, name: str):
    (tmp_path / "train.txt").write_text(f"\ufeff{line}\n\n", encoding="utf-8")
    assert read_names(tmp_path / "train.txt") == [name]


def test_the_nearest_name_of_a_mask_comes_first():
    masks = {name: Path(f"{name}.png") for name in ("a", "a_mask", "b_label", "c_gt", "d")}
    assert mask_of("a", masks) == Path("a.png")
    assert mask_of("b", masks) == mask_of("b_image", masks) == Path("b_label.png")
    assert mask_of("d_leftImg8bit", masks) == Path("d.png")
    assert mask_of("e", masks) is None
    assert is_mask_name("a_mask") == "a"
    assert is_mask_name("a_labelTrainIds") == "a"
    assert is_mask_name("a") is None


def test_hidden_and_other_files_do_not_count(tmp_path: Path):
    for name in ("b.png", "a.JPG", ".c.png", "d.txt"):
        (tmp_path / name).touch()
    assert list(files_by_stem(tmp_path)) == ["a", "b"]


def test_folders_are_found_down_to_a_depth(tmp_path: Path):
    (tmp_path / "a" / "b" / "wanted").mkdir(parents=True)
    assert find_folder(tmp_path, "other", "wanted") == tmp_path / "a" / "b" / "wanted"
    assert find_folder(tmp_path, "b/wanted") == tmp_path / "a" / "b" / "wanted"
    assert find_folder(tmp_path, "wanted", depth=1) is None
    assert find_folder(tmp_path / "none", "wanted") is None
    with pytest.raises(FileNotFoundError, match=r"VOC must hold x or y. .* not exist. Get it"):
        need_folder(tmp_path / "none", "x", "y", what="VOC", remedy="Get it.")
