from pathlib import Path

import pytest
from PIL import Image

from keras_deeplab.data import check_data
from tests.data.annotations import exports
from tests.data.annotations.exports import BOX, TRIANGLE, labelme, photo, write_json

EIGHT = [[2, 2], [20, 18], [20, 2], [2, 18]]


def kinds(root: Path) -> dict[str, str]:
    return {one.kind: f"{one.level}: {one.message}" for one in check_data(root).findings}


def test_nothing_is_wrong_with_good_annotations(tmp_path: Path):
    exports.labelme_dataset(tmp_path)
    report = check_data(tmp_path)
    assert report.findings == ()
    assert report.splits["all"].pixels.sum() == 2 * 24 * 32


def test_outlines(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    shapes = [
        {"label": "eight", "points": EIGHT},
        {"label": "line", "points": [[1, 1], [5, 5], [9, 9]]},
        {"label": "two", "points": [[1, 1], [5, 5]]},
        {"label": "out", "points": [[1, 1], [60, 5], [9, 9]]},
        {"label": "slip", "points": [[-1, 0], [33, 5], [9, 9]]},
        {"label": "good", "points": BOX},
    ]
    write_json(tmp_path / "a.json", labelme(shapes, "a.jpg"))
    found = [one for one in check_data(tmp_path).findings if one.kind.startswith("outline")]
    assert [(one.level, one.kind) for one in found] == [
        ("error", "outline without area"),
        ("error", "outline without area"),
        ("warning", "outline crosses itself"),
        ("warning", "outline beyond the photo"),
    ]
    for one, name in zip(found, ("line", "two", "eight", "out"), strict=True):
        assert f"one of {name!r} " in one.message
        assert one.file == str(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        ("Cat cat", True),
        ("traffic_light traffic-light", True),
        ("pedestrian pedestrain", True),
        ("car cat", False),
        ("zone1 zone2", False),
        ("baseball_bat baseball_glove", False),
    ],
)
def test_class_names(tmp_path: Path, names: str, alike: bool):
    photo(tmp_path / "a.jpg")
    one, other = sorted(names.split())
    shapes = [{"label": one, "points": BOX}, {"label": other, "points": TRIANGLE}]
    write_json(tmp_path / "a.json", labelme(shapes, "a.jpg"))
    found = kinds(tmp_path)
    assert ("class names alike" in found) == alike
    assert not alike or f"{one!r} (1 regions) and {other!r} (1)" in found["class names alike"]


def test_photos_and_annotations_without_each_other(tmp_path: Path):
    exports.labelme_dataset(tmp_path)
    photo(tmp_path / "c.jpg", 7)
    (tmp_path / "b.jpg").unlink()
    found = kinds(tmp_path)
    assert "no 'b.jpg'" in found["annotated photo missing"]
    assert "c.jpg' without. It is left out." in found["photo not annotated"]


def test_damaged_files_and_empty_annotations(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write_json(tmp_path / "a.json", labelme([], "a.jpg"))
    assert "none in 1 photos" in kinds(tmp_path)["nothing annotated"]
    (tmp_path / "b.json").write_text('{"shapes": [}')
    assert "b.json' (it is not JSON" in kinds(tmp_path)["annotation file not readable"]


def test_other_sizes_and_photos_that_exif_turns(tmp_path: Path):
    photo(tmp_path / "a.jpg", size=(48, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "b.jpg", exif=exif)
    for name in "ab":
        shape = {"label": "cat", "points": BOX}
        write_json(tmp_path / f"{name}.json", labelme([shape], f"{name}.jpg"))
    found = [one for one in check_data(tmp_path).errors if one.kind == "size differs"]
    assert len(found) == 2
    assert "48x64" in found[0].message
    assert "without its EXIF orientation" not in found[0].message
    assert "The annotations seem to match the image without its EXIF" in found[1].message


def test_boxes_and_unknown_images_of_coco(tmp_path: Path):
    exports.coco_dataset(tmp_path)
    rows = [
        {"image_id": 10, "category_id": 1, "segmentation": [exports.flat(BOX)]},
        {"image_id": 10, "category_id": 1, "segmentation": [], "bbox": [1, 1, 4, 4]},
        {"image_id": 99, "category_id": 1, "segmentation": [exports.flat(BOX)]},
        {"image_id": 10, "category_id": 9, "segmentation": [exports.flat(BOX)]},
    ]
    content = exports.coco(["a.jpg"], rows, {1: "cat"})
    write_json(tmp_path / "annotations" / "instances.json", content)
    found = kinds(tmp_path)
    assert "a box without an outline, in annotation 2 of 'a.jpg'" in found["outline missing"]
    assert "image_id=99" in found["image not in the file"]
    assert "category_id=9" in found["category not in the file"]
    assert found["photo not annotated"].startswith("warning")
