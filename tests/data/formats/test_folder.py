from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.formats.folder import read_folder, unpaired
from keras_deeplab.data.formats.layouts import folder_splits
from tests.data.miniatures import SIZE, write_image, write_list, write_mask, write_pairs


def names(path: Path, split: str | None = None) -> list[str]:
    data = read_folder(path, split)
    for example in data.examples:
        assert example.image.stem.startswith(example.name)
        assert example.mask.stem.startswith(example.name.removesuffix("_image"))
    return [example.name for example in data.examples]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("images", "labels"),
        ("JPEGImages", "SegmentationClass"),
        ("img", "annotations"),
    ],
)
def test_two_folders(tmp_path: Path, images: str, masks: str):
    write_pairs(tmp_path / images, tmp_path / masks, "b a")
    assert names(tmp_path) == ["a", "b"]
    assert folder_splits(tmp_path) == ()
    element = read_folder(tmp_path)[0]
    assert element["image"].shape == (*SIZE, 3)
    assert sorted(np.unique(element["labels"])) == [0, 1, 2]


@pytest.mark.parametrize("ending", ["", "_mask", "_label", "_labelIds", "_gt"])
@pytest.mark.parametrize("together", [True, False])
def test_names_of_masks(tmp_path: Path, ending: str, together: bool):
    for name in "ab":
        write_image(tmp_path / ("" if together else "images") / f"{name}.jpg")
        labels = np.arange(SIZE[1]) % 2
        write_mask(tmp_path / ("" if together else "masks") / f"{name}{ending}.png", labels)
    assert names(tmp_path) == ["a", "b"]


def test_png_images_beside_marked_masks(tmp_path: Path):
    write_image(tmp_path / "a.png")
    write_mask(tmp_path / "a_mask.png", np.arange(SIZE[1]) % 2)
    assert names(tmp_path) == ["a"]
    (tmp_path / "train").mkdir()
    for name in ("a.png", "a_mask.png"):
        (tmp_path / name).rename(tmp_path / "train" / name)
    assert names(tmp_path, "train") == ["a"]


def test_names_of_images_with_an_ending(tmp_path: Path):
    write_image(tmp_path / "images" / "a_image.png")
    write_mask(tmp_path / "masks" / "a_mask.png", np.arange(SIZE[1]) % 2)
    assert names(tmp_path) == ["a_image"]


def test_names_with_spaces(tmp_path: Path):
    (tmp_path / "images").mkdir()
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        (tmp_path / folder / f"a.{suffix}").rename(tmp_path / folder / f"my cat 2.{suffix}")
    (tmp_path / "train.txt").write_text("my cat 2.jpg\n")
    assert names(tmp_path, "train") == ["my cat 2"]


def test_a_list_that_names_what_is_missing(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    write_list(tmp_path / "train.txt", "a c")
    with pytest.raises(FileNotFoundError, match="'c' without image"):
        read_folder(tmp_path, "train")
    write_list(tmp_path / "train.txt", "a a")
    with pytest.raises(ValueError, match="'a' twice"):
        read_folder(tmp_path, "train")
    write_list(tmp_path / "train.txt", "")
    with pytest.raises(ValueError, match="must name images"):
        read_folder(tmp_path, "train")


def test_label_map_and_ignored_label(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a", classes=4)
    data = read_folder(tmp_path, ignore_class=3, label_map={1: 3})
    assert data.class_names == ("class 0", "class 1", "class 2")
    assert sorted(np.unique(data[0]["labels"])) == [0, 2, 3]


def no_masks(path: Path) -> None:
    (path / "masks" / "b.png").unlink()


def black_and_white(path: Path) -> None:
    for name in "ab":
        write_mask(path / "masks" / f"{name}.png", np.arange(SIZE[1]) % 2 * 255)


def high_id(path: Path) -> None:
    write_mask(path / "masks" / "b.png", 200)


def two_of_a_name(path: Path) -> None:
    write_image(path / "images" / "a.png")


def empty_masks(path: Path) -> None:
    for name in "ab":
        (path / "masks" / f"{name}.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_masks, r"1 of 2 in .* without, such as '.*images/b.jpg'.*allow_missing=True"),
        (black_and_white, r"masks with 0, 255, of which 255 is ignored.*label_map=\{255: 1\}"),
        (high_id, r"200 in '.*masks/b.png' while the others go to 2.*classes.txt"),
        (two_of_a_name, r"one file of each name.*images/a.jpg' and '.*images/a.png'"),
        (empty_masks, r"must hold images .*'.*masks' without any"),
    ],
)
def test_broken_data(tmp_path: Path, spoil: Callable[[Path], None], words: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    spoil(tmp_path)
    with pytest.raises(ValueError, match=words):
        read_folder(tmp_path)


def test_missing_masks_are_left_out_on_request(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b c")
    (tmp_path / "masks" / "b.png").unlink()
    (tmp_path / "images" / "c.jpg").unlink()
    data = read_folder(tmp_path, allow_missing=True)
    assert [example.name for example in data.examples] == ["a"]
    assert unpaired(tmp_path) == (
        [tmp_path / "images" / "b.jpg"],
        [tmp_path / "masks" / "c.png"],
    )
