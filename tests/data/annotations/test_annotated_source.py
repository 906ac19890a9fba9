import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data import read_dataset
from keras_deeplab.data.formats import dataset_splits, recognise
from tests.data.annotations import exports
from tests.data.annotations.exports import SIZE, box_mask, photo, ring_mask, write_json

YAML = "path: .\ntrain: images/train\nval: images/val\nnames: [dog, cat]\n"
MAKERS = {
    "coco": exports.coco_dataset,
    "cvat": exports.cvat_dataset,
    "label_studio": exports.studio_dataset,
    "labelme": exports.labelme_dataset,
    "supervisely": exports.supervisely_dataset,
    "yolo": lambda root: exports.yolo_dataset(root, YAML),
}


@pytest.mark.parametrize("name", MAKERS)
def test_formats_are_recognised_and_named(tmp_path: Path, name: str):
    MAKERS[name](tmp_path)
    assert recognise(tmp_path).name == name
    split = "train" if name == "yolo" else None
    data = read_dataset(tmp_path, split)
    assert set(data.class_names) == {"background", "cat", "dog"}
    assert data[0]["labels"].shape == SIZE
    assert set(np.unique(data[0]["labels"])) > {0}
    assert any(path.name in data.read_as for path in tmp_path.rglob("*") if path.is_file())
    assert data.subset([0]).read_as == data.read_as
    asked = read_dataset(tmp_path, split, dataset=name)
    assert np.array_equal(asked[0]["labels"], data[0]["labels"])


def test_coco_pixel_by_pixel(tmp_path: Path):
    exports.coco_dataset(tmp_path)
    data = read_dataset(tmp_path)
    assert data.class_names == ("background", "dog", "cat")  # by category id
    a, b, c = (data[index]["labels"] for index in range(3))
    expected = np.zeros(SIZE, int)
    expected[0:6] = 255  # the crowd lies below
    expected[box_mask()] = 2
    assert np.array_equal(a, expected)
    assert np.array_equal(b, np.where(ring_mask(), 1, 0))
    assert not c.any()


def test_unlabelled_pixels_and_classes_of_ones_own(tmp_path: Path):
    exports.coco_dataset(tmp_path)
    data = read_dataset(tmp_path, unlabelled="ignore")
    assert data.class_names == ("dog", "cat")
    assert np.array_equal(data[1]["labels"], np.where(ring_mask(), 0, 255))
    with pytest.raises(ValueError, match=r"'dog' \(1 photos\).*Name them in class_names"):
        read_dataset(tmp_path, class_names=["background", "cat"])
    some = read_dataset(
        tmp_path, class_names=["background", "cat"], other_classes="unlabelled", ignore_class=9
    )
    assert np.unique(some[0]["labels"]).tolist() == [0, 1, 9]
    assert not some[1]["labels"].any()
    with pytest.raises(TypeError, match=r"coco takes class_names, .* Received: sbd="):
        read_dataset(tmp_path, sbd="x")


def test_a_folder_with_splits(tmp_path: Path):
    for split, seed in (("train", 0), ("valid", 1)):
        photo(tmp_path / split / "a.jpg", seed)
        rows = [{"image_id": 10, "category_id": 1, "segmentation": [exports.flat(exports.BOX)]}]
        content = exports.coco(["a.jpg"], rows, {0: "things", 1: "cat"})
        content["categories"] = [
            {"id": 0, "name": "things", "supercategory": "none"},
            {"id": 1, "name": "cat", "supercategory": "things"},
        ]
        write_json(tmp_path / split / "_annotations.coco.json", content)
    assert dataset_splits(tmp_path) == ("train", "val")
    for split, folder in (("train", "train"), ("val", "valid")):
        data = read_dataset(tmp_path, split)
        assert data.examples[0].image == tmp_path / folder / "a.jpg"
        assert data.class_names == ("background", "cat")
    with pytest.raises(ValueError, match="split must be one of 'train', 'val'"):
        read_dataset(tmp_path)
    with pytest.raises(FileNotFoundError, match="has train, val"):
        read_dataset(tmp_path, "test")


def test_several_files_of_one_split_are_joined(tmp_path: Path):
    exports.coco_dataset(tmp_path)
    file = tmp_path / "annotations" / "instances.json"
    content = json.loads(file.read_text())
    rows = content["annotations"]
    for number, part in enumerate((rows[:2], rows[2:], rows[:1])):
        content["annotations"] = part
        write_json(tmp_path / "annotations" / f"instances_train_{number}.json", content)
    whole = read_dataset(tmp_path / "annotations" / "..", "train")
    file.unlink()
    data = read_dataset(tmp_path, "train")
    assert len(data) == 3
    assert np.array_equal(data[0]["labels"], whole[0]["labels"])
    assert len(data.examples[0].drawn.photo.regions) == 2  # the same annotation counts once


def test_missing_photos_are_left_out_with_a_warning(tmp_path: Path, caplog):
    exports.coco_dataset(tmp_path)
    (tmp_path / "images" / "a.jpg").unlink()
    assert [example.name for example in read_dataset(tmp_path).examples] == ["b", "c"]
    assert "1 of 3 annotated photos are missing" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"1 of 3 missing in .*a\.jpg"):
        read_dataset(tmp_path, allow_missing=False)
    for name in "bc":
        (tmp_path / "images" / f"{name}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="3 of 3 missing"):
        read_dataset(tmp_path)


def test_masks_count_where_there_are_both(tmp_path: Path):
    exports.labelme_dataset(tmp_path / "images")
    for name in "ab":
        path = tmp_path / "masks" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full(SIZE, 1, "uint8")).save(path)
    assert recognise(tmp_path).name == "folder"
    with pytest.raises(TypeError, match=r"masks takes class_names.* unlabelled is for annotations"):
        read_dataset(tmp_path, unlabelled="ignore")
    assert read_dataset(tmp_path, dataset="labelme").class_names == ("background", "cat", "dog")


def test_a_damaged_file_does_not_end_a_folder(tmp_path: Path):
    exports.labelme_dataset(tmp_path)
    photo(tmp_path / "c.jpg", 3)
    (tmp_path / "c.json").write_text('{"shapes": [{"label": "cat", "points": [[1, 2')
    assert len(read_dataset(tmp_path)) == 2
    (tmp_path / "only").mkdir()
    (tmp_path / "c.json").rename(tmp_path / "only" / "c.json")
    with pytest.raises(ValueError, match=r"labelme\).*without any.*c\.json.*not JSON"):
        read_dataset(tmp_path / "only", dataset="labelme")


def test_names_of_photos_are_distinct(tmp_path: Path):
    for place in ("one", "two"):
        exports.labelme_dataset(tmp_path / place)
    names = [example.name for example in read_dataset(tmp_path).examples]
    assert sorted(names) == ["one/a", "one/b", "two/a", "two/b"]


def test_changed_files_are_read_again(tmp_path: Path):
    exports.labelme_dataset(tmp_path)
    assert read_dataset(tmp_path).class_names == ("background", "cat", "dog")
    new = {"label": "bird", "points": exports.BOX}
    write_json(tmp_path / "a.json", exports.labelme([new], "a.jpg"))
    assert read_dataset(tmp_path).class_names == ("background", "bird", "dog")
