from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.layouts import folder_splits
from tests.data.miniatures import SIZE, write_image, write_mask, write_pairs


def names(path: Path, split: str | None = None) -> list[str]:
    data = read_folder(path, split)
    for example in data.examples:
        assert example.image.stem.startswith(example.name)
        assert example.mask.stem.startswith(example.name.removesuffix("_image"))
    return [example.name for example in data.examples]


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


@pytest.mark.parametrize("place", ["", "ImageSets/Segmentation", "splits"])
@pytest.mark.parametrize(
    "line",
    ["{}", "{}.jpg", "/images/{}.jpg /masks/{}.png", "x/{}.jpg,y/{}.png", "{} -1", "x\\{}.jpg"],
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


def test_what_is_no_dataset(tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"with nothing in it. The supported layouts:\n  DIR/images"
    ):
        read_folder(tmp_path)
    write_image(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"with a.jpg. The supported layouts"):
        read_folder(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="is a file"):
        read_folder(tmp_path / "a.jpg")
    write_mask(tmp_path / "a.png", np.arange(SIZE[1]) % 2)
    with pytest.raises(FileNotFoundError, match=r"is not divided. Write the names .*train.txt"):
        read_folder(tmp_path, "train")
