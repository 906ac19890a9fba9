from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.readers.folder import folder_splits, read_folder, unpaired
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


@pytest.mark.parametrize("order", ["split/images", "images/split"])
@pytest.mark.parametrize("val", ["val", "validation", "valid"])
def test_splits_in_folders(tmp_path: Path, order: str, val: str):
    for split, listed in (("train", "a b"), (val, "c")):
        parts = (split, "{}") if order == "split/images" else ("{}", split)
        pattern = str(Path(*parts))
        write_pairs(tmp_path / pattern.format("images"), tmp_path / pattern.format("masks"), listed)
    assert folder_splits(tmp_path) == ("train", "val")
    assert names(tmp_path, "train") == ["a", "b"]
    assert names(tmp_path, "val") == ["c"]
    with pytest.raises(
        ValueError, match=r"split must be one of 'train', 'val'. Received: split=None"
    ):
        read_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has train, val. Did you mean 'train'"):
        read_folder(tmp_path, "trian")


def test_masks_beside_the_split(tmp_path: Path):
    write_pairs(tmp_path / "train", tmp_path / "trainannot", "a")
    write_pairs(tmp_path / "val", tmp_path / "val_masks", "b")
    assert names(tmp_path, "train") == ["a"]
    assert names(tmp_path, "val") == ["b"]


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


@pytest.mark.parametrize("place", ["", "ImageSets/Segmentation", "splits"])
@pytest.mark.parametrize(
    "line", ["{}", "{}.jpg", "/images/{}.jpg /masks/{}.png", "images/{}.jpg,x"]
)
def test_split_lists(tmp_path: Path, place: str, line: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a b 2007.1")
    for split, listed in (("train", ("b", "2007.1")), ("val", ("a",)), ("mine", ("a", "b"))):
        path = tmp_path / place / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.format(name, name) for name in listed))
    assert folder_splits(tmp_path) == ("train", "val")
    assert names(tmp_path, "train") == ["b", "2007.1"]
    assert names(tmp_path, "val") == ["a"]
    assert names(tmp_path, "mine") == ["a", "b"]
    assert len(names(tmp_path)) == 3


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "background\ncat\n\ndog\n"),
        ("labels.txt", "background\r\ncat\r\ndog"),
        ("class_names.json", '["background", "cat", "dog"]'),
        ("classes.json", '{"0": "background", "1": "cat", "2": "dog"}'),
        ("labelmap.txt", "# label:color\nbackground:0,0,0::\ncat:1,2,3::\ndog:9,9,9::"),
    ],
)  # fmt: skip
def test_class_names_from_a_file(tmp_path: Path, name: str, text: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / name).write_text(text)
    data = read_folder(tmp_path)
    assert data.class_names == ("background", "cat", "dog")
    assert (data.palette[1] == (1, 2, 3)) == (name == "labelmap.txt")
    assert read_folder(tmp_path, class_names=["x", "y", "z"]).class_names == ("x", "y", "z")


def test_masks_in_the_colours_of_labelmap(tmp_path: Path):
    write_image(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    colours = np.zeros((*SIZE, 3), "uint8")
    colours[0] = 1, 2, 3
    Image.fromarray(colours).save(tmp_path / "masks" / "a.png")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\ncat:1,2,3::\n")
    labels = read_folder(tmp_path)[0]["labels"]
    assert labels[:, 0].tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("classes.txt", "a\na", "distinct"),
        ("classes.json", '{"1": "a"}', "names by id from 0"),
        ("class_names.json", "no json", "names by id from 0"),
        ("labelmap.txt", "cat 1 2 3", "NAME:RED,GREEN,BLUE"),
    ],
)
def test_broken_files_of_class_names(tmp_path: Path, name: str, text: str, words: str):
    write_pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        read_folder(tmp_path)


def test_classes_are_counted_over_all_splits(tmp_path: Path):
    write_pairs(tmp_path / "train/images", tmp_path / "train/masks", "a", classes=2)
    write_pairs(tmp_path / "val/images", tmp_path / "val/masks", "b", classes=5)
    assert read_folder(tmp_path, "train").class_names[-1] == "class 4"


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


def test_what_is_no_dataset(tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"with nothing in it. The layouts understood:\n  DIR/images"
    ):
        read_folder(tmp_path)
    write_image(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"with a.jpg. The layouts understood"):
        read_folder(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="is a file"):
        read_folder(tmp_path / "a.jpg")
    write_mask(tmp_path / "a.png", np.arange(SIZE[1]) % 2)
    with pytest.raises(FileNotFoundError, match=r"is not divided. Write the names .*train.txt"):
        read_folder(tmp_path, "train")
