"""What the formats allow and few exports hold."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from keras_deeplab.data import check_data, read_dataset
from keras_deeplab.data.annotations.annotated_source import load_annotations
from keras_deeplab.data.annotations.label_studio_rle import encode_brush
from keras_deeplab.data.formats import dataset_splits, recognise
from tests.data.annotations import exports
from tests.data.annotations.exports import (
    BOX,
    SIZE,
    TRIANGLE,
    box_mask,
    labelme,
    photo,
    ring_mask,
    write_json,
)


def kinds(path: Path, name: str) -> list[str]:
    return [problem.kind for problem in load_annotations(path, name).problems]


def test_labelme_draws_all_shapes_in_their_order(tmp_path: Path):
    file = io.BytesIO()
    Image.fromarray(np.zeros((*SIZE, 3), "uint8")).save(file, "PNG")
    points = {
        "rectangle": [[20.4, 18.6], [2.2, 3.7]],  # the second corner is above the first
        "circle": [[16, 12], [20, 15]],
        "linestrip": [[1, 1], [25, 8.5], [30, 22]],
        "line": [[0, 20], [31, 20]],
        "point": [[28, 4]],
    }
    names = [f"c{number}" for number in range(len(points))]
    shapes = [
        {"label": name, "shape_type": kind, "points": values, "group_id": 3}
        for name, (kind, values) in zip(names, points.items(), strict=True)
    ]
    shapes.insert(2, {"label": "__ignore__", "points": [[10, 0], [14, 0], [14, 23], [10, 23]]})
    content = labelme(shapes, "photos/gone.png") | {
        "imageData": base64.b64encode(file.getvalue()).decode(),
        "imageHeight": None,
        "imageWidth": None,
    }
    write_json(tmp_path / "a.json", content)
    image = Image.new("L", SIZE[::-1])
    draw = ImageDraw.Draw(image)
    draw.rectangle([2.2, 3.7, 20.4, 18.6], fill=1, outline=1)
    draw.ellipse([11, 7, 21, 17], fill=2, outline=2)
    draw.polygon([(10, 0), (14, 0), (14, 23), (10, 23)], fill=255, outline=255)
    draw.line([(1, 1), (25, 8.5), (30, 22)], fill=3, width=10)
    draw.line([(0, 20), (31, 20)], fill=4, width=10)
    draw.ellipse([23, -1, 33, 9], fill=5, outline=5)
    data = read_dataset(tmp_path)
    assert data.class_names == ("background", *names)
    assert np.array_equal(data[0]["labels"], np.asarray(image))


def test_cvat_orders_masks_attributes_and_labels_without_area(tmp_path: Path):
    photo(tmp_path / "images" / "Train" / "a.jpg")
    attribute = '<attribute name="colour">grey</attribute>'
    inner = (
        f'<polygon label="cat" points="{exports.cvat_points(BOX)}" z_order="5">{attribute}'
        "</polygon>"
        '<box label="dog" xtl="0" ytl="0" xbr="32" ybr="6" z_order="-1"></box>'
        '<box label="dog" xtl="6" ytl="6" xbr="20" ybr="12" z_order="0">' + attribute + "</box>"
        '<ellipse label="cat" cx="24" cy="18" rx="6" ry="3" rotation="90" z_order="0"></ellipse>'
        '<polyline label="lane" points="0,0;9,9" z_order="0"></polyline>'
        '<tag label="sunny" source="manual"></tag>'
        '<skeleton label="body" z_order="0"><points label="nose" points="1,1"></points></skeleton>'
    )
    image = exports.cvat_image("Train/a.jpg", inner).replace("<image ", '<image subset="Train" ')
    text = exports.cvat_xml(image)
    more = (
        "<label><name>lane</name><type>polyline</type><color>#123456</color></label>"
        "<label><name>sunny</name><type>tag</type></label>"
        "<label><name>body</name><type>skeleton</type></label>"
        "<label><name>nose</name><type>points</type><parent>body</parent></label></labels>"
    )
    (tmp_path / "annotations.xml").write_text(text.replace("</labels>", more))
    data = read_dataset(tmp_path, "train")
    assert data.class_names == ("background", "cat", "dog")
    expected = np.zeros(SIZE, int)
    expected[0:6] = 2
    expected[6:12, 6:20] = 2
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = ((columns - 24) / 3) ** 2 + ((rows - 18) / 6) ** 2
    expected[box_mask()] = 1
    labels = data[0]["labels"]
    sure = (inside < 0.9) | (inside > 1.1)
    assert np.array_equal(labels[sure], np.where(inside < 1, 1, expected)[sure])
    assert kinds(tmp_path, "cvat") == ["shape without area"] * 2


def test_cvat_for_video(tmp_path: Path):
    for frame in range(3):
        photo(tmp_path / "images" / f"frame_{frame:06d}.PNG", frame)
    box = '<box frame="{}" outside="{}" keyframe="1" xtl="4" ytl="2" xbr="12" ybr="10"/>'
    ring = exports.cvat_mask(ring_mask(), "").replace("<mask ", '<mask frame="2" outside="0" ')
    tracks = (
        f'<track id="0" label="cat">{box.format(0, 0)}{box.format(1, 1)}</track>'
        f'<track id="1" label="dog">{ring}</track>'
    )
    (tmp_path / "annotations.xml").write_text(exports.cvat_xml(tracks))
    data = read_dataset(tmp_path)
    assert [example.name for example in data.examples] == ["frame_000000", "frame_000002"]
    assert np.array_equal(data[0]["labels"], box_mask())
    assert np.array_equal(data[1]["labels"], 2 * ring_mask())


def test_label_studio_annotators_keypoints_and_sizes(tmp_path: Path):
    for seed, name in enumerate("ab"):
        photo(tmp_path / f"{name}.jpg", seed)
    small = np.zeros((12, 16), bool)
    small[4:8, 8:12] = True
    brush = exports.studio_result("brushlabels", "dog", 1, format="rle", rle=encode_brush(small))
    brush |= {"original_width": 16, "original_height": 12}
    keypoint = exports.studio_result("keypointlabels", "nose", 2, x=50, y=50, width=2)
    polygon = exports.studio_result("polygonlabels", "cat", 0, points=exports.percent(BOX))
    choice = {"id": "c", "type": "choices", "value": {"choices": ["indoors"]}}
    comment = polygon | {"type": "textarea", "value": polygon["value"] | {"text": ["a note"]}}
    del comment["value"]["polygonlabels"]
    relation = {"type": "relation", "from_id": "r0", "to_id": "r1", "direction": "right"}
    row = [polygon, brush, keypoint, choice, comment, relation]
    task = exports.studio_task("/data/local-files/?d=some/a.jpg", row)
    wrong = exports.studio_task("", [exports.studio_result("polygonlabels", "bird", points=[])])
    first = wrong["annotations"][0] | {"completed_by": 1}
    last = wrong["annotations"][0] | {"was_cancelled": True, "completed_by": 3}
    task["annotations"] = [first, task["annotations"][0], last]
    task["data"] = {"text": "Day 1. Sunny", "photo": task["data"]["image"]}
    # An early export, without the size of the photo.
    early = {key: value for key, value in polygon.items() if not key.startswith("original")}
    rows = [
        task,
        {"data": {"img": "https://x.org/b.jpg?v=1"}, "completions": [{"result": [early]}]},
    ]
    write_json(tmp_path / "export.json", rows)
    data = read_dataset(tmp_path)
    assert data.class_names == ("background", "cat", "dog")
    expected = np.zeros(SIZE, int)
    expected[box_mask()] = 1
    expected[8:16, 16:24] = 2
    assert np.array_equal(data[0]["labels"], expected)
    assert np.array_equal(data[1]["labels"], box_mask())
    assert kinds(tmp_path, "label_studio") == ["region without area"]


def test_coco_with_sparse_ids_folders_and_several_files(tmp_path: Path):
    for seed, place in enumerate(("one", "two")):
        photo(tmp_path / "images" / place / "0001.jpg", seed)
    images = [
        {"id": 900000001, "file_name": "one/0001.jpg", "height": SIZE[0], "width": SIZE[1]},
        {"id": 7, "file_name": "C:\\photos\\two\\0001.jpg", "height": SIZE[0], "width": SIZE[1]},
    ]
    categories = [{"id": 1000, "name": "zebra"}, {"id": 20, "name": "ape"}, {"id": 3, "name": "x"}]
    box = {"id": 1, "image_id": 900000001, "category_id": 1000, "segmentation": [exports.flat(BOX)]}
    runs = {"size": list(SIZE), "counts": exports.column_runs(ring_mask())}
    ring = {"id": 1, "image_id": 7, "category_id": 20, "segmentation": runs, "iscrowd": 0}
    other = {"id": 1, "image_id": 7, "category_id": 20, "segmentation": [exports.flat(BOX)]}
    gone = {"id": 2, "image_id": 7, "category_id": 20, "bbox": [1, 1, 5, 5], "segmentation": []}
    for number, rows in enumerate(([box, ring], [other | {"bbox": [4, 2, 8, 8]}, gone])):
        content = {"images": images, "annotations": rows, "categories": categories}
        write_json(tmp_path / f"batch_{number}.json", content)
    data = read_dataset(tmp_path)
    assert data.class_names == ("background", "x", "ape", "zebra")
    assert [example.image.parent.name for example in data.examples] == ["one", "two"]
    assert np.array_equal(data[0]["labels"], 3 * box_mask())
    assert np.array_equal(data[1]["labels"], 2 * (ring_mask() | box_mask()))
    assert kinds(tmp_path, "coco") == ["outline missing"]


def test_a_problem_is_said_when_reading(tmp_path: Path, caplog):
    exports.labelme_dataset(tmp_path)
    content = json.loads((tmp_path / "a.json").read_text())
    content["shapes"][0]["shape_type"] = "spiral"
    write_json(tmp_path / "a.json", content)
    read_dataset(tmp_path)
    assert "1 problem in the annotations" in caplog.text
    assert "'spiral' is not known" in caplog.text


def test_yolo_of_windows(tmp_path: Path):
    exports.yolo_dataset(
        tmp_path / "set",
        "path: ..\\set\r\ntrain: .\\images\\train\r\nval: images\\val\r\ntest:\r\n"
        "names:\r\n  10: cat\r\n  1: dog\r\n",
    )
    photo(tmp_path / "set" / "images" / "train" / "empty.jpg", 5)
    label = tmp_path / "set" / "labels" / "train" / "train.txt"
    label.write_bytes(b"\xef\xbb\xbf" + label.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert recognise(tmp_path / "set").name == "yolo"
    data = read_dataset(tmp_path / "set", "train")
    assert data.class_names == ("background", "dog", "cat")
    assert [example.name for example in data.examples] == ["empty", "train"]
    assert not data[0]["labels"].any()
    assert np.array_equal(data[1]["labels"], box_mask())


def test_masks_beside_a_yaml_file_are_masks(tmp_path: Path):
    for place in ("images", "masks"):
        photo(tmp_path / place / "a.png")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    assert recognise(tmp_path).name == "folder"


def test_supervisely_rounds_and_alpha_masks(tmp_path: Path):
    exports.supervisely_dataset(tmp_path)
    path = tmp_path / "ds1" / "ann" / "a.jpg.json"
    content = json.loads(path.read_text())
    cat, dog = content["objects"]
    cat["points"]["exterior"] = [[1.6, 2.4], [11.4, 2.4], [11.4, 11.4], [1.6, 11.4]]
    dog["geometryType"] = "alpha_mask"
    levels = Image.new("RGBA", (4, 2), (9, 9, 9, 128))
    levels.putpixel((0, 0), (9, 9, 9, 0))
    file = io.BytesIO()
    levels.save(file, "PNG")
    dog["bitmap"] = {"origin": [30, 23], "data": base64.b64encode(file.getvalue()).decode()}
    write_json(path, content)
    expected = np.zeros(SIZE, int)
    expected[2:12, 2:12] = 1
    expected[4:8, 4:8] = 0
    expected[23, 31] = 2  # beyond the photo it is cut off, and its first pixel is empty
    assert np.array_equal(read_dataset(tmp_path)[0]["labels"], expected)


def test_roboflow_without_a_background(tmp_path: Path):
    photo(tmp_path / "train" / "a.jpg")
    Image.fromarray(2 * ring_mask().astype("uint8")).save(tmp_path / "train" / "a_mask.png")
    table = "Pixel Value, Class\r\n1, kite\r\n2, tree, tall\r\n"
    (tmp_path / "train" / "_classes.csv").write_text(table)
    data = read_dataset(tmp_path, "train")
    assert data.class_names == ("background", "kite", "tree, tall")
    assert np.array_equal(data[0]["labels"], 2 * ring_mask())


def test_split_lists_beside_annotations(tmp_path: Path, caplog):
    for seed, name in enumerate("abcd"):
        photo(tmp_path / "photos" / f"{name}.jpg", seed)
        shape = {"label": "cat", "points": TRIANGLE}
        write_json(tmp_path / "labels" / f"{name}.json", labelme([shape], f"{name}.jpg"))
    (tmp_path / "train.txt").write_text("photos/a.jpg\r\nb\r\n\r\n")
    assert dataset_splits(tmp_path) == ("train",)
    (tmp_path / "val.txt").write_text("c.jpg\nghost\n")
    assert dataset_splits(tmp_path) == ("train", "val")
    names = {s: [one.name for one in read_dataset(tmp_path, s).examples] for s in ("train", "val")}
    assert names == {"train": ["a", "b"], "val": ["c"]}
    assert "'ghost'" in caplog.text
    found = {one.kind: one for one in check_data(tmp_path).findings}
    assert "d.jpg" in found["photo in no split list"].message
    assert found["listed photo not annotated"].level == "error"
    assert "photo not annotated" not in found


@pytest.mark.parametrize("text", ["cat\ndog\n", "0 0.1 0.2 0.3 0.4 0.5 0.6\n", ""])
def test_other_text_files_are_no_lists(tmp_path: Path, text: str):
    exports.labelme_dataset(tmp_path)
    (tmp_path / "train.txt").write_text(text)
    assert dataset_splits(tmp_path) == ()
    assert len(read_dataset(tmp_path)) == 2


def test_check_data_finds_other_sizes_and_labels_without_a_photo(tmp_path: Path, caplog):
    photo(tmp_path / "coco" / "a.jpg")
    runs = {"size": [10, 10], "counts": [50, 50]}
    rows = [{"image_id": 10, "category_id": 1, "segmentation": runs}]
    write_json(tmp_path / "coco" / "i.json", exports.coco(["a.jpg"], rows, {1: "cat"}))
    (found,) = (one for one in check_data(tmp_path / "coco").findings if one.level == "error")
    assert "'cat' of 10x10 for 24x32" in found.message
    exports.yolo_dataset(tmp_path / "yolo", "train: images/train\nval: images/val\nnames: [a, b]\n")
    (tmp_path / "yolo" / "labels" / "val" / "gone.txt").write_text("0 0 0 1 0 1 1\n")
    (found,) = (one for one in check_data(tmp_path / "yolo").findings if one.level == "error")
    assert found.kind == "annotated photo missing"
    assert "check-data lists" not in caplog.text


def test_an_unknown_encoding_of_cvat_is_damage(tmp_path: Path):
    exports.cvat_dataset(tmp_path)
    file = tmp_path / "annotations.xml"
    file.write_text(file.read_text().replace("utf-8", "wtf-8"))
    with pytest.raises(ValueError, match="annotations.xml"):
        read_dataset(tmp_path)


def test_a_damaged_region_does_not_end_its_file(tmp_path: Path):
    exports.coco_dataset(tmp_path / "coco")
    file = tmp_path / "coco" / "annotations" / "instances.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segmentation"] = {"size": [1], "counts": []}
    write_json(file, content)
    assert kinds(tmp_path / "coco", "coco") == ["outline missing"]
    assert np.array_equal(read_dataset(tmp_path / "coco")[1]["labels"], ring_mask())
    exports.cvat_dataset(tmp_path / "cvat")
    file = tmp_path / "cvat" / "annotations.xml"
    file.write_text(file.read_text().replace('z_order="1"', 'z_order="x"'))
    assert kinds(tmp_path / "cvat", "cvat") == ["shape not readable"]
    assert np.array_equal(read_dataset(tmp_path / "cvat")[0]["labels"], 2 * ring_mask())


def test_infinite_numbers_are_damage(tmp_path: Path):
    exports.yolo_dataset(tmp_path, "train: images/train\nval: images/val\nnames: [a, b]\n")
    path = tmp_path / "labels" / "train" / "train.txt"
    path.write_text("1e400 0 0 1 0 1 1\n" + path.read_text())
    assert kinds(tmp_path, "yolo") == ["line not readable"]
    text = exports.cvat_xml(exports.cvat_image("train.jpg", exports.cvat_mask(ring_mask(), "a")))
    (tmp_path / "a.xml").write_text(text.replace('left="16"', 'left="1e400"'))
    assert kinds(tmp_path, "cvat") == ["shape not readable"]
