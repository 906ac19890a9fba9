import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from keras_deeplab.data import annotation_writer, read_dataset
from keras_deeplab.data.annotations.outlines import outlines
from tests.data.annotations.exports import photo

SIZE = (120, 160)
NAMES = ("background", "cat & dog", "tree")
FORMATS = ("coco", "cvat", "labelme", "labelstudio", "yolo")


def scene(seed: int = 0) -> np.ndarray:
    """Discs, a ring and a thin bar, of two classes."""
    image = Image.new("L", SIZE[::-1])
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(seed)
    for label in (1, 2, 1):
        x, y = rng.integers(30, 130), rng.integers(30, 90)
        draw.ellipse([x - 25, y - 18, x + 25, y + 18], fill=label)
    draw.ellipse([100, 60, 150, 110], fill=2)
    draw.ellipse([115, 75, 135, 95], fill=0)
    draw.rectangle([5, 5, 70, 8], fill=1)
    return np.array(image)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    values = [
        ((one == label) & (other == label)).sum() / ((one == label) | (other == label)).sum()
        for label in np.unique(other)
    ]
    return float(np.mean(values))


def written(folder: Path, kind: str, **options) -> list[np.ndarray]:
    """Writes two scenes beside their photos, and returns what is read back."""
    writer = annotation_writer(kind, folder, NAMES, **options)
    for seed in range(2):
        path = photo(folder / f"{seed}.jpg", seed, SIZE)
        writer.add(path, scene(seed))
    writer.finish()
    if kind == "yolo":
        for path in folder.glob("*.jpg"):
            path.unlink()
    data = read_dataset(folder, "train" if kind == "yolo" else None)
    assert data.class_names == NAMES
    return [data[index]["labels"] for index in range(2)]


@pytest.mark.parametrize("kind", FORMATS)
def test_polygons_come_back(tmp_path: Path, kind: str):
    for seed, labels in enumerate(written(tmp_path, kind)):
        assert iou(labels, scene(seed)) >= 0.98


@pytest.mark.parametrize("kind", FORMATS[:-1])
def test_masks_come_back_to_the_pixel(tmp_path: Path, kind: str):
    for seed, labels in enumerate(written(tmp_path, kind, masks=True, smallest=1)):
        assert np.array_equal(labels, scene(seed))


@pytest.mark.parametrize("kind", FORMATS)
def test_exact_polygons_come_back_to_the_pixel(tmp_path: Path, kind: str):
    for seed, labels in enumerate(written(tmp_path, kind, tolerance=0, smallest=1)):
        assert np.array_equal(labels, scene(seed))


def test_coco_is_what_pycocotools_reads(tmp_path: Path):
    from pycocotools import mask as coco

    written(tmp_path, "coco")
    content = json.loads((tmp_path / "coco.json").read_text())
    assert content.keys() == {"info", "licenses", "images", "annotations", "categories"}
    assert [row["id"] for row in content["categories"]] == [1, 2]
    total = np.zeros(SIZE, int)
    for row in content["annotations"]:
        if row["image_id"] == content["images"][0]["id"]:
            runs = coco.merge(coco.frPyObjects(row["segmentation"], *SIZE))
            mask = coco.decode(runs) > 0
            assert mask.sum() == pytest.approx(row["area"], rel=0.02)
            x, y, width, height = row["bbox"]
            rows, columns = np.nonzero(mask)
            assert abs(columns.min() - x) <= 2
            assert abs(rows.max() + 1 - y - height) <= 2
            assert width > 0
            total[mask] = row["category_id"]
    assert iou(total, scene(0)) >= 0.98


def test_labelme_draws_the_same(tmp_path: Path):
    """With LabelMe's own rule for polygons: Pillow's, outline included."""
    written(tmp_path, "labelme")
    content = json.loads((tmp_path / "0.json").read_text())
    image = Image.new("L", SIZE[::-1])
    for shape in content["shapes"]:
        fill = NAMES.index(shape["label"])
        points = [tuple(point) for point in shape["points"]]
        ImageDraw.Draw(image).polygon(points, outline=fill, fill=fill)
    assert iou(np.array(image), scene(0)) >= 0.98
    assert content["imagePath"] == "0.jpg"
    assert (content["imageHeight"], content["imageWidth"]) == SIZE
    assert (tmp_path / "labels.txt").read_text().split("\n")[:2] == ["__ignore__", "_background_"]


def test_labelme_masks_are_of_their_box(tmp_path: Path):
    written(tmp_path, "labelme", masks=True)
    for shape in json.loads((tmp_path / "0.json").read_text())["shapes"]:
        (left, top), (right, bottom) = shape["points"]
        image = Image.open(io.BytesIO(base64.b64decode(shape["mask"])))
        assert image.size == (right - left + 1, bottom - top + 1)


def test_label_studio_decodes_the_brush(tmp_path: Path):
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    written(tmp_path, "labelstudio", masks=True, smallest=1)
    tasks = json.loads((tmp_path / "label_studio.json").read_text())
    total = np.zeros(SIZE, int)
    for row in tasks[0]["predictions"][0]["result"]:
        alpha = brush.decode_rle(row["value"]["rle"]).reshape(*SIZE, 4)[..., 3]
        total[alpha > 0] = NAMES.index(row["value"]["brushlabels"][0])
    assert np.array_equal(total, scene(0))


def test_label_studio_interface(tmp_path: Path):
    from defusedxml.ElementTree import parse

    written(tmp_path, "labelstudio")
    labels = parse(tmp_path / "label_studio_interface.xml").getroot().iter("Label")
    assert [label.get("value") for label in labels] == list(NAMES[1:])


def test_all_classes_without_a_background(tmp_path: Path):
    path = photo(tmp_path / "a.jpg", 0, SIZE)
    writer = annotation_writer("coco.json", tmp_path, ["road", "car"])
    writer.add(path, (scene() > 0).astype("uint8"))
    (file,) = writer.finish()
    assert [row["name"] for row in json.loads(file.read_text())["categories"]] == ["road", "car"]
    data = read_dataset(tmp_path, unlabelled="ignore")
    assert data.class_names == ("road", "car")
    labels = data[0]["labels"]
    assert iou(labels, scene() > 0) > 0.97


def test_small_regions_and_holes():
    labels = np.zeros((20, 30), int)
    labels[5:15, 5:15] = 1
    labels[8, 8] = 0
    labels[2, 20:23] = 1
    (found,) = outlines(labels, skip=(0,), smallest=4)
    assert found.mask.sum() == 100
    assert sorted(map(tuple, found.rings[0].tolist())) == [(5, 5), (5, 15), (15, 5), (15, 15)]
    assert len(list(outlines(labels, skip=(0,), smallest=1))) == 2


def test_pieces_of_a_ring_make_up_the_ring():
    labels = np.zeros((40, 40), int)
    labels[5:35, 5:35] = 1
    labels[12:20, 12:20] = 0
    labels[22:30, 15:31] = 0
    (found,) = outlines(labels, skip=(0,), tolerance=0)
    assert len(found.rings) > 1
    total = np.zeros(labels.shape, int)
    from keras_deeplab.data.annotations.shapes import Polygon

    for ring in found.rings:
        mask, top, left = Polygon((ring,)).patch(labels.shape)
        total[top : top + mask.shape[0], left : left + mask.shape[1]] += mask
    assert np.array_equal(total, labels)


def test_wrong_options(tmp_path: Path):
    with pytest.raises(ValueError, match="format of annotations must be one of"):
        annotation_writer("pascal", tmp_path, NAMES)
    with pytest.raises(ValueError, match="must hold polygons"):
        annotation_writer("yolo", tmp_path, NAMES, masks=True)
    with pytest.raises(ValueError, match="tolerance must be 0 or more"):
        annotation_writer("coco", tmp_path, NAMES, tolerance=-1)
    writer = annotation_writer(str(tmp_path / "new" / "mine.json"), tmp_path, NAMES)
    assert writer.finish() == (tmp_path / "new" / "mine.json",)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_real_masks_come_back(shared: Path, tmp_path: Path, kind: str):
    """With thin poles and scattered leaves; all classes together and each by itself."""
    data = read_dataset(shared / "data" / "camvid", "val", dataset="camvid")
    writer = annotation_writer(kind, tmp_path / "out", data.class_names)
    chosen = range(0, len(data), 20)
    for index in chosen:
        shutil.copy(data.examples[index].image, tmp_path / "out")
        writer.add(tmp_path / "out" / data.examples[index].image.name, data.read_labels(index))
    writer.finish()
    if kind == "yolo":
        for path in (tmp_path / "out").glob("*.*g"):
            path.unlink()
    split = "train" if kind == "yolo" else None
    names = data.class_names
    back = read_dataset(tmp_path / "out", split, class_names=names, unlabelled="ignore")
    shared_pixels, either = np.zeros((2, len(names)))
    for place, index in enumerate(chosen):
        one, other = back.read_labels(place), data.read_labels(index)
        for label in range(len(names)):
            shared_pixels[label] += ((one == label) & (other == label)).sum()
            either[label] += ((one == label) | (other == label)).sum()
    iou = dict(zip(names, shared_pixels / either, strict=True))
    assert min(iou.values()) >= 0.98, iou
