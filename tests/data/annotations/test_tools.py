"""Each tool's format, pixel by pixel."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from keras_deeplab.data import read_dataset
from keras_deeplab.data.annotations.label_studio_rle import decode_brush, encode_brush
from keras_deeplab.data.formats import dataset_splits, recognise
from tests.data.annotations import exports
from tests.data.annotations.exports import (
    BOX,
    SIZE,
    TRIANGLE,
    box_mask,
    labelme,
    photo,
    png,
    ring_mask,
    write_json,
)


def drawn(kind: str, *arguments, **options) -> np.ndarray:
    """What Pillow draws, as LabelMe does."""
    image = Image.new("L", SIZE[::-1])
    getattr(ImageDraw.Draw(image), kind)(*arguments, fill=1, **options)
    return np.asarray(image) > 0


SHAPES = {
    "polygon": (TRIANGLE, drawn("polygon", [tuple(p) for p in TRIANGLE], outline=1)),
    "rectangle": ([[12, 10], [4, 2]], drawn("rectangle", [4, 2, 12, 10], outline=1)),
    "circle": ([[10, 10], [13, 14]], drawn("ellipse", [5, 5, 15, 15], outline=1)),
    "line": ([[2, 12], [30, 12]], drawn("line", [2, 12, 30, 12], width=10)),
    "linestrip": ([[2, 12], [20, 12], [20, 20]], drawn("line", [2, 12, 20, 12, 20, 20], width=10)),
    "point": ([[10, 12]], drawn("ellipse", [5, 7, 15, 17], outline=1)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_labelme_shapes(tmp_path: Path, kind: str):
    points, expected = SHAPES[kind]
    photo(tmp_path / "a.jpg")
    shape = {"label": "cat", "shape_type": kind, "points": points}
    write_json(tmp_path / "a.json", labelme([shape], "a.jpg"))
    assert np.array_equal(read_dataset(tmp_path)[0]["labels"] == 1, expected)


def test_labelme_masks_order_and_special_names(tmp_path: Path):
    photo(tmp_path / "photos" / "a.jpg")
    part = ring_mask()[8:20, 16:28]
    shapes = [
        {"label": "tree", "points": [[0, 0], [31, 0], [31, 23], [0, 23]]},
        {
            "label": "cat",
            "shape_type": "mask",
            "points": [[16, 8], [27, 19]],
            "mask": base64.b64encode(png(part)).decode(),
        },
        {"label": "_background_", "points": [[0, 0], [3, 0], [3, 3], [0, 3]]},
        {"label": "__ignore__", "points": [[8, 0], [9, 0], [9, 3], [8, 3]]},
    ]
    write_json(tmp_path / "labels" / "a.json", labelme(shapes, "..\\photos\\a.jpg"))
    data = read_dataset(tmp_path)
    expected = np.full(SIZE, 2)
    expected[ring_mask()] = 1
    expected[0:4, 0:4] = 0
    expected[0:4, 8:10] = 255
    assert data.class_names == ("background", "cat", "tree")
    assert np.array_equal(data[0]["labels"], expected)


def test_labelme_keeps_the_order_of_its_list_of_labels(tmp_path: Path):
    exports.labelme_dataset(tmp_path)
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ndog\nbird\ncat\n")
    assert read_dataset(tmp_path).class_names == ("background", "dog", "bird", "cat")


def test_labelme_photo_inside_the_json(tmp_path: Path):
    content = photo(tmp_path / "gone.png", 5).read_bytes()
    levels = np.asarray(Image.open(tmp_path / "gone.png"))
    (tmp_path / "gone.png").unlink()
    shape = {"label": "cat", "points": BOX}
    data = labelme([shape], "gone.png", imageData=base64.b64encode(content).decode())
    write_json(tmp_path / "a.json", data)
    assert np.array_equal(read_dataset(tmp_path)[0]["image"], levels)


def test_cvat_shapes_and_order(tmp_path: Path):
    photo(tmp_path / "images" / "sub" / "a.png")
    inner = (
        f'<polygon label="cat" points="{exports.cvat_points(BOX)}" z_order="5" occluded="0"/>'
        '<box label="dog" xtl="0.00" ytl="0.00" xbr="32.00" ybr="24.00" z_order="1"/>'
        + exports.cvat_mask(ring_mask(), "cat", 2)
        + '<box label="cat" xtl="2" ytl="14" xbr="10" ybr="18" rotation="90.00" z_order="3"/>'
        '<polyline label="dog" points="1,1;2,2" z_order="9"/><tag label="dog"/>'
    )
    xml = exports.cvat_xml(exports.cvat_image("sub/a.png", inner), "background dog cat")
    (tmp_path / "annotations.xml").write_text(xml)
    data = read_dataset(tmp_path)
    expected = np.full(SIZE, 1)
    expected[ring_mask()] = 2
    expected[12:20, 4:8] = 2  # 8 x 4 around (6, 16), upright after a quarter turn
    expected[box_mask()] = 2
    assert data.class_names == ("background", "dog", "cat")
    assert np.array_equal(data[0]["labels"], expected)


def test_cvat_ellipse_and_subsets(tmp_path: Path):
    for name in "ab":
        photo(tmp_path / "images" / f"{name}.png")
    images = [
        exports.cvat_image("a.png", '<ellipse label="cat" cx="16" cy="12" rx="10" ry="5"/>', 0),
        exports.cvat_image("b.png", "", 1),
    ]
    text = "".join(images).replace('id="0"', 'id="0" subset="Train"')
    (tmp_path / "a.xml").write_text(
        exports.cvat_xml(text.replace('id="1"', 'id="1" subset="Validation"'))
    )
    assert dataset_splits(tmp_path) == ("train", "val")
    area = (read_dataset(tmp_path, "train")[0]["labels"] == 1).sum()
    assert area == pytest.approx(np.pi * 50, rel=0.03)
    assert not read_dataset(tmp_path, "val")[0]["labels"].any()


def test_cvat_refuses_entities(tmp_path: Path):
    photo(tmp_path / "images" / "a.jpg")
    bomb = '<!DOCTYPE a [<!ENTITY e "xxxxxxxx">]>'
    (tmp_path / "a.xml").write_text(exports.cvat_xml(exports.cvat_image("a.jpg", ""), before=bomb))
    with pytest.raises(ValueError, match=r"a\.xml"):
        read_dataset(tmp_path)


def test_cvat_segmentation_masks(tmp_path: Path):
    photo(tmp_path / "JPEGImages" / "a.jpg")
    colours = np.zeros((*SIZE, 3), "uint8")
    colours[box_mask()] = (184, 61, 245)
    colours[ring_mask()] = (10, 128, 0)
    path = tmp_path / "SegmentationClass" / "a.png"
    path.parent.mkdir()
    Image.fromarray(colours).save(path)
    (tmp_path / "SegmentationObject").mkdir()
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:184,61,245::\ndog:10,128,0::\n"
    )
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "default.txt").write_text("a\n")
    data = read_dataset(tmp_path)
    assert data.class_names == ("background", "cat", "dog")
    assert np.array_equal(data[0]["labels"], box_mask() + 2 * ring_mask())


def test_label_studio_shapes(tmp_path: Path):
    exports.studio_dataset(tmp_path)
    data = read_dataset(tmp_path)
    assert data.examples[0].image.name == "a b.jpg"
    assert np.array_equal(data[0]["labels"], box_mask() + 2 * ring_mask())


def test_label_studio_rectangles_and_ellipses(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    results = [
        exports.studio_result(
            "rectanglelabels", "cat", 0, x=25, y=25, width=25, height=25, rotation=90
        ),
        exports.studio_result(
            "ellipselabels", "dog", 1, x=75, y=50, radiusX=12.5, radiusY=12.5, rotation=0
        ),
    ]
    write_json(tmp_path / "export.json", [exports.studio_task("a.jpg", results)])
    labels = read_dataset(tmp_path)[0]["labels"]
    expected = np.zeros(SIZE, bool)
    # 8 x 6 pixels at (8, 6), turned around that corner: 6 to its left, 8 down.
    expected[6:14, 2:8] = True
    assert np.array_equal(labels == 1, expected)
    assert (labels == 2).sum() == pytest.approx(np.pi * 4 * 3, rel=0.1)


def test_label_studio_chooses_an_annotation(tmp_path: Path):
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    cat = exports.studio_result("polygonlabels", "cat", points=exports.percent(BOX))
    dog = exports.studio_result("polygonlabels", "dog", points=exports.percent(BOX))
    first, second = (exports.studio_task("a.jpg", [one])["annotations"][0] for one in (cat, dog))
    tasks = [
        {"data": {"image": "a.jpg"}, "annotations": [first, second | {"was_cancelled": True}]},
        {"data": {"image": "b.jpg"}, "annotations": [first | {"ground_truth": True}, second]},
        {"data": {"image": "c.jpg"}, "annotations": []},
    ]
    write_json(tmp_path / "export.json", tasks)
    data = read_dataset(tmp_path)
    assert [example.name for example in data.examples] == ["a", "b"]
    assert data.class_names == ("background", "cat")


def test_label_studio_labels_beside_shapes_and_short_export(tmp_path: Path):
    photo(tmp_path / "full" / "a.jpg")
    photo(tmp_path / "min" / "a.jpg")
    polygon = exports.studio_result("polygon", "cat", points=exports.percent(BOX))
    del polygon["value"]["polygon"]
    labels = exports.studio_result("labels", "cat", points=exports.percent(BOX))
    write_json(tmp_path / "full" / "export.json", [exports.studio_task("a.jpg", [polygon, labels])])
    region = {
        "points": exports.percent(BOX),
        "polygonlabels": ["cat"],
        "original_width": SIZE[1],
        "original_height": SIZE[0],
    }
    short = {"image": "/data/upload/a.jpg", "id": 1, "label": [region], "annotator": 1}
    write_json(tmp_path / "min" / "export.json", [short])
    for place in ("full", "min"):
        assert recognise(tmp_path / place).name == "label_studio"
        labels = read_dataset(tmp_path / place)[0]["labels"]
        assert np.array_equal(labels == 1, box_mask())


def test_brush_streams():
    rng = np.random.default_rng(0)
    for size in ((1, 1), (3, 5), (24, 32), (60, 80)):
        mask = rng.random(size) < rng.random()
        assert np.array_equal(decode_brush(encode_brush(mask), *size), mask)
    full = np.ones((200, 200), bool)
    assert np.array_equal(decode_brush(encode_brush(full), 200, 200), full)
    # Written by hand: 4 values, 8 bits each; widths 3, 4, 8, 16; one block of 4 values that are
    # listed one by one: 0, 0, 0, 255.
    bits = f"{4:032b}{7:05b}" + "".join(f"{w - 1:04b}" for w in (3, 4, 8, 16))
    bits += "0" + "00" + "011" + "0" * 24 + "1" * 8
    bits += "0" * (-len(bits) % 8)
    stream = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert decode_brush(stream, 1, 1).tolist() == [[True]]
    for broken in (stream[:-3], stream[:4], [300], [*stream[:3], 5, *stream[4:]]):
        with pytest.raises(ValueError, match="a brush must"):
            decode_brush(broken, 1, 1)


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images/train\nval: images/val\nnames:\n  0: dog\n  1: cat\n",
        "path: /elsewhere/kites\ntrain: images/train\nval: images/val\nnames: ['dog', 'cat']\n",
        "path: ../datasets/kites\ntrain: images/train\nval: images/val\nnc: 2\nnames: [dog, cat]\n",
        "train: ../images/train\nval: ../images/val\nnc: 2\nnames: [dog, cat]\n",
        "path: .\ntrain: train.txt\nval: [images/val]\nnames: {0: dog, 1: cat}\n",
    ],
)
def test_yolo_layouts(tmp_path: Path, yaml: str):
    exports.yolo_dataset(tmp_path, yaml)
    (tmp_path / "train.txt").write_text("./images/train/train.jpg\n")
    assert dataset_splits(tmp_path) == ("train", "val")
    for split in ("train", "val"):
        data = read_dataset(tmp_path, split)
        assert data.class_names == ("background", "dog", "cat")
        assert [example.name for example in data.examples] == [split]
        expected = np.zeros(SIZE, int)
        expected[box_mask()] = 2
        assert np.array_equal(data[0]["labels"], expected)


def test_yolo_backgrounds_overlaps_and_boxes(tmp_path: Path):
    small = "0 " + " ".join(f"{v:.4f}" for v in (0.4, 0.4, 0.6, 0.4, 0.6, 0.6, 0.4, 0.6))
    large = "1 0 0 1 0 1 1 0 1"
    for name, text in (("a", f"{small}\n{large}\n"), ("b", "")):
        photo(tmp_path / "images" / f"{name}.jpg")
        path = tmp_path / "labels" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    photo(tmp_path / "images" / "c.jpg")
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    data = read_dataset(tmp_path)
    assert recognise(tmp_path).name == "yolo"
    assert np.unique(data[0]["labels"]).tolist() == [1, 2]  # the smaller one is on top
    assert not data[1]["labels"].any()
    assert not data[2]["labels"].any()
    for name in "ab":
        (tmp_path / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(ValueError, match="a dataset for detection"):
        read_dataset(tmp_path)


def test_supervisely(tmp_path: Path):
    exports.supervisely_dataset(tmp_path)
    data = read_dataset(tmp_path)
    expected = 2 * ring_mask()
    expected[2:12, 2:12] = 1
    expected[4:8, 4:8] = 0
    assert np.array_equal(data[0]["labels"], expected)
    assert data.palette == ((0, 0, 0), (255, 0, 0), (0, 255, 0))
    assert data.examples[0].image == tmp_path / "ds1" / "img" / "a.jpg"


def test_panoptic(tmp_path: Path):
    photo(tmp_path / "val2017" / "000001.jpg")
    ids = np.zeros(SIZE, int)
    ids[box_mask()] = 256 * 7 + 3
    ids[ring_mask()] = 65536 * 2 + 1
    ids[22:] = 5
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype("uint8")
    path = tmp_path / "annotations" / "panoptic_val2017" / "000001.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(colours).save(path)
    segments = [
        {"id": 256 * 7 + 3, "category_id": 17, "iscrowd": 0},
        {"id": 65536 * 2 + 1, "category_id": 92, "iscrowd": 0},
        {"id": 5, "category_id": 17, "iscrowd": 1},
    ]
    content = {
        "images": [{"id": 1, "file_name": "000001.jpg", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [{"image_id": 1, "file_name": "000001.png", "segments_info": segments}],
        "categories": [
            {"id": 92, "name": "banner", "isthing": 0, "color": [1, 2, 3]},
            {"id": 17, "name": "cat", "isthing": 1, "color": [4, 5, 6]},
        ],
    }
    write_json(tmp_path / "annotations" / "panoptic_val2017.json", content)
    assert recognise(tmp_path).name == "coco_panoptic"
    data = read_dataset(tmp_path, "val")
    expected = np.full(SIZE, 255)
    expected[box_mask()] = 0
    expected[ring_mask()] = 1
    assert data.class_names == ("cat", "banner")
    assert data.palette == ((4, 5, 6), (1, 2, 3))
    assert np.array_equal(data[0]["labels"], expected)
    labels = read_dataset(tmp_path, "val", unlabelled="background")[0]["labels"]
    assert np.unique(labels).tolist() == [0, 1, 2, 255]


def test_panoptic_photos_may_have_the_names_of_their_segments(tmp_path: Path):
    image = photo(tmp_path / "train" / "a.png")
    path = tmp_path / "panoptic_train" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.full((*SIZE, 3), (7, 0, 0), "uint8")).save(path)
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [{"id": 7, "category_id": 1, "iscrowd": 0}],
            }
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    write_json(tmp_path / "panoptic_train.json", content)
    data = read_dataset(tmp_path, "train")
    assert data.examples[0].image == image
    assert data.class_names == ("cat",)
    assert not data[0]["labels"].any()


def test_compressed_runs_are_those_of_pycocotools(tmp_path: Path):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(1)
    photo(tmp_path / "a.jpg")
    for _ in range(5):
        mask = rng.random(SIZE) < 0.4
        runs = coco.encode(np.asfortranarray(mask.astype("uint8")))
        runs["counts"] = runs["counts"].decode()
        row = {"image_id": 10, "category_id": 1, "segmentation": runs}
        write_json(tmp_path / "i.json", exports.coco(["a.jpg"], [row], {1: "cat"}))
        assert np.array_equal(read_dataset(tmp_path)[0]["labels"] == 1, mask)
    runs["counts"] = runs["counts"][:-5] + "~~~"
    write_json(tmp_path / "i.json", exports.coco(["a.jpg"], [row], {1: "cat"}))
    with pytest.raises(ValueError, match=r"annotations of 'a.jpg' must be complete.*i\.json"):
        read_dataset(tmp_path)[0]


def test_polygons_are_those_of_pycocotools(tmp_path: Path):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(2)
    photo(tmp_path / "a.jpg")
    for _ in range(20):
        rings = [rng.uniform(-8, 40, 2 * n).round(2).tolist() for n in (3, 8)]
        row = {"image_id": 10, "category_id": 1, "segmentation": rings}
        write_json(tmp_path / "i.json", exports.coco(["a.jpg"], [row], {1: "cat"}))
        expected = coco.decode(coco.merge(coco.frPyObjects(rings, *SIZE)))
        assert np.array_equal(read_dataset(tmp_path)[0]["labels"], expected)


def test_smaller_instances_of_coco_are_on_top(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    whole = [0, 0, 32, 0, 32, 24, 0, 24]
    rows = [
        {"image_id": 10, "category_id": 1, "segmentation": [exports.flat(BOX)]},
        {"image_id": 10, "category_id": 2, "segmentation": [whole]},
    ]
    write_json(tmp_path / "i.json", exports.coco(["a.jpg"], rows, {1: "cup", 2: "table"}))
    assert np.array_equal(read_dataset(tmp_path)[0]["labels"], np.where(box_mask(), 1, 2))


def test_roboflow_masks(tmp_path: Path):
    for split in ("train", "valid"):
        photo(tmp_path / split / "a_jpg.rf.123.jpg")
        labels = (box_mask() + 2 * ring_mask()).astype("uint8")
        Image.fromarray(labels).save(tmp_path / split / "a_jpg.rf.123_mask.png")
        table = "Pixel Value, Class\n0, background\n1, kite\n2, tree\n"
        (tmp_path / split / "_classes.csv").write_text(table)
    assert recognise(tmp_path).name == "roboflow"
    assert dataset_splits(tmp_path) == ("train", "val")
    data = read_dataset(tmp_path, "val")
    assert data.class_names == ("background", "kite", "tree")
    assert np.array_equal(data[0]["labels"], labels)


def test_oxford_pets(tmp_path: Path):
    trimap = (1 + box_mask() + 2 * ring_mask()).astype("uint8")
    for name in ("cat_1", "dog_2"):
        photo(tmp_path / "images" / f"{name}.jpg")
        path = tmp_path / "annotations" / "trimaps" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(trimap).save(path)
        (path.parent / f"._{name}.png").write_bytes(b"\0")
    assert recognise(tmp_path).name == "oxford_pets"
    assert len(read_dataset(tmp_path)) == 2
    (tmp_path / "annotations" / "trainval.txt").write_text("cat_1 1 1 1\n")
    (tmp_path / "annotations" / "test.txt").write_text("dog_2 2 2 1\n")
    assert dataset_splits(tmp_path) == ("train", "test")
    data = read_dataset(tmp_path, "test")
    assert data.class_names == ("pet", "background", "border")
    assert np.array_equal(data[0]["labels"], trimap - 1)
    assert [example.name for example in data.examples] == ["dog_2"]


def test_a_folder_with_camvids_names_and_its_own_classes(tmp_path: Path):
    from tests.data.miniatures import write_pairs

    write_pairs(tmp_path / "train" / "images", tmp_path / "train" / "labels", "0001TP_1 b")
    assert read_dataset(tmp_path, "train").read_as.startswith("CamVid (file names 0001TP_*")
    assert recognise(tmp_path).name == "camvid"
    names = ["one", "two", "three"]
    assert read_dataset(tmp_path, "train", class_names=names).class_names == tuple(names)
    (tmp_path / "classes.txt").write_text("one\ntwo\nthree\n")
    assert recognise(tmp_path).name == "folder"
    assert read_dataset(tmp_path, "train").class_names == ("one", "two", "three")


def test_json_of_other_programs_is_left_alone(tmp_path: Path):
    from tests.data.miniatures import write_pairs

    write_pairs(tmp_path / "images", tmp_path / "masks", "a b")
    write_json(tmp_path / "notes.json", {"images": [], "shapes": 3})
    (tmp_path / "list.json").write_text(json.dumps([1, 2]))
    (tmp_path / "empty.json").touch()
    (tmp_path / "setup.xml").write_text("<annotations/>")
    assert recognise(tmp_path).name == "folder"
