from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize(
    ("images", "masks"),
    [("Images", "Masks"), ("IMAGES", "Labels"), ("Imgs", "Ground_Truth"), ("JPEGImages", "GT")],
)
def test_folders_in_any_case(tmp_path: Path, images: str, masks: str):
    write_pairs(tmp_path / images, tmp_path / masks, "a b")
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("order", ["{split}/Images {split}/Masks", "Images/{split} Masks/{split}"])
def test_splits_in_any_case(tmp_path: Path, order: str):
    for split, listed in (("Train", "a b"), ("Validation", "c")):
        folders = [tmp_path / place for place in order.format(split=split).split()]
        write_pairs(*folders, listed)
    assert folder_splits(tmp_path) == ("train", "val")
    assert names(tmp_path, "train") == ["a", "b"]
    assert names(tmp_path, "val") == ["c"]


def test_masks_of_labelme2voc(tmp_path: Path):
    """SegmentationClass holds arrays, SegmentationClassPNG the masks."""
    write_pairs(tmp_path / "JPEGImages", tmp_path / "SegmentationClassPNG", "a")
    (tmp_path / "SegmentationClass").mkdir()
    np.save(tmp_path / "SegmentationClass" / "a.npy", np.zeros(SIZE))
    assert names(tmp_path) == ["a"]


def test_masks_in_the_one_known_subfolder(tmp_path: Path):
    write_pairs(tmp_path / "images", tmp_path / "annotations" / "trimaps", "a")
    (tmp_path / "annotations" / "list.txt").write_text("a 1 1 1\n")
    (tmp_path / "annotations" / "xmls").mkdir()
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("root", ["", "train"])
def test_photos_in_subfolders(tmp_path: Path, root: str):
    for site in ("site0", "site1/north"):
        write_pairs(tmp_path / root / "images" / site, tmp_path / root / "masks" / site, "a")
    data = read_folder(tmp_path, root or None)
    assert [example.name for example in data.examples] == ["site0/a", "site1/north/a"]
    for example in data.examples:
        assert example.image.parent.name == example.mask.parent.name


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("image_1.jpg", "mask_1.png"),
        ("img_1.jpg", "label_1.png"),
        ("image1.jpg", "mask1.png"),
        ("1.jpg", "mask_1.png"),
        ("1.jpg", "1.jpg.png"),
        ("1.JPG", "1_mask.PNG"),
        ("a_0_leftImg8bit.png", "a_0_gtFine_labelTrainIds.png"),
        ("a_0_leftImg8bit.png", "a_0_gtFine_labelIds.png"),
        ("a.jfif", "a.bmp"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_names_that_belong_together(tmp_path: Path, image: str, mask: str, together: bool):
    places = ("", "") if together else ("images", "masks")
    write_image(tmp_path / places[0] / "x.jpg").rename(tmp_path / places[0] / image)
    kind = "BMP" if mask.endswith("bmp") else "PNG"
    path = tmp_path / places[1] / mask
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.arange(48, dtype="uint8").reshape(SIZE) % 3).save(path, kind)
    (example,) = read_folder(tmp_path).examples
    assert (example.image.name, example.mask.name) == (image, mask)


def test_annotation_formats_are_named_in_the_error(tmp_path: Path):
    write_image(tmp_path / "a.jpg")
    (tmp_path / "a.json").write_text('{"shapes": []}')
    with pytest.raises(ValueError, match="are read, unless dataset='folder', if .* COCO, LabelMe"):
        read_folder(tmp_path)
