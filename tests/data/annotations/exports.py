"""Small exports of labelling tools, written from the published descriptions of their formats."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (24, 32)  # height, width
# Corners of a rectangle from x 4 to 12 and y 2 to 10, and a triangle.
BOX = [[4, 2], [12, 2], [12, 10], [4, 10]]
TRIANGLE = [[16, 4], [30, 20], [16, 20]]


def photo(path: Path, seed: int = 0, size: tuple[int, int] = SIZE, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(seed).integers(0, 256, (*size, 3), "uint8")
    Image.fromarray(levels).save(path, **options)
    return path


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def png(mask: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(mask, "uint8") * 255).save(file, "PNG")
    return file.getvalue()


def box_mask() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[2:10, 4:12] = True
    return mask


def ring_mask() -> np.ndarray:
    """A square of 12 x 12 pixels without the 4 x 4 in its middle."""
    mask = np.zeros(SIZE, bool)
    mask[8:20, 16:28] = True
    mask[12:16, 20:24] = False
    return mask


def column_runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths, column by column, starting with 0."""
    return row_runs(mask.T)


def row_runs(mask: np.ndarray) -> list[int]:
    runs, value, length = [], False, 0
    for pixel in mask.ravel().tolist():
        if pixel != value:
            runs.append(length)
            value, length = pixel, 0
        length += 1
    return [*runs, length]


def coco(images: list[str], annotations: list[dict[str, Any]], names: dict[int, str]) -> Any:
    return {
        "info": {"description": "miniature"},
        "licenses": [],
        "images": [
            {"id": 10 + i, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for i, name in enumerate(images)
        ],
        "annotations": [{"id": 1 + i, "iscrowd": 0} | row for i, row in enumerate(annotations)],
        "categories": [{"id": i, "name": name, "supercategory": ""} for i, name in names.items()],
    }


def flat(points: list[list[float]]) -> list[float]:
    return [value for pair in points for value in pair]


def coco_dataset(root: Path) -> None:
    """A box of a cat with a crowd of dogs, a ring of run lengths, and a photo of nothing."""
    for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        photo(root / "images" / name, seed)
    crowd = np.zeros(SIZE, bool)
    crowd[0:6] = True
    rows = [
        {"image_id": 10, "category_id": 7, "segmentation": [flat(BOX)], "bbox": [4, 2, 8, 8]},
        {
            "image_id": 10,
            "category_id": 3,
            "segmentation": {"size": list(SIZE), "counts": column_runs(crowd)},
            "iscrowd": 1,
        },
        {
            "image_id": 11,
            "category_id": 3,
            "segmentation": {"size": list(SIZE), "counts": column_runs(ring_mask())},
        },
    ]
    content = coco(["a.jpg", "b.jpg", "c.jpg"], rows, {7: "cat", 3: "dog"})
    write_json(root / "annotations" / "instances.json", content)


def labelme(shapes: list[dict[str, Any]], image: str, **more: Any) -> dict[str, Any]:
    base = {"points": [], "group_id": None, "description": "", "shape_type": "polygon", "flags": {}}
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [base | shape for shape in shapes],
        "imagePath": image,
        "imageData": None,
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
    } | more


def labelme_dataset(root: Path) -> None:
    for seed, name in enumerate("ab"):
        photo(root / f"{name}.jpg", seed)
    cat, dog = {"label": "cat", "points": BOX}, {"label": "dog", "points": TRIANGLE}
    write_json(root / "a.json", labelme([cat, dog], "a.jpg"))
    write_json(root / "b.json", labelme([dog], "b.jpg"))


def cvat_xml(images: str, labels: str = "cat dog", before: str = "") -> str:
    names = "".join(
        f"<label><name>{name}</name><color>#0{i}ff00</color><attributes></attributes></label>"
        for i, name in enumerate(labels.split(), 1)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{before}<annotations>\n<version>1.1</version>\n'
        f"<meta><task><name>t</name><labels>{names}</labels></task></meta>\n{images}\n"
        f"</annotations>\n"
    )


def cvat_points(points: list[list[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in points)


def cvat_mask(mask: np.ndarray, label: str, z_order: int = 0) -> str:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (
        f'<mask label="{label}" source="manual" occluded="0" rle="'
        f'{", ".join(map(str, row_runs(part)))}" left="{columns[0]}" top="{rows[0]}" '
        f'width="{part.shape[1]}" height="{part.shape[0]}" z_order="{z_order}"></mask>'
    )


def cvat_image(name: str, inner: str, number: int = 0) -> str:
    return (
        f'<image id="{number}" name="{name}" width="{SIZE[1]}" height="{SIZE[0]}">{inner}</image>'
    )


def cvat_dataset(root: Path) -> None:
    photo(root / "images" / "a.jpg")
    polygon = f'<polygon label="cat" source="manual" points="{cvat_points(BOX)}" z_order="1"/>'
    inner = polygon + cvat_mask(ring_mask(), "dog")
    (root / "annotations.xml").write_text(cvat_xml(cvat_image("a.jpg", inner)))


def percent(points: list[list[float]]) -> list[list[float]]:
    return [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in points]


def studio_result(kind: str, label: str, number: int = 0, **value: Any) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": SIZE[1],
        "original_height": SIZE[0],
        "image_rotation": 0,
        "value": {kind: [label]} | value,
    }


def studio_task(image: str, results: list[Any], number: int = 1) -> dict[str, Any]:
    annotation = {"id": number, "was_cancelled": False, "ground_truth": False, "result": results}
    return {"id": number, "data": {"image": image}, "annotations": [annotation]}


def studio_dataset(root: Path) -> None:
    from keras_deeplab.data.annotations.label_studio_rle import encode_brush

    photo(root / "images" / "a b.jpg")
    results = [
        studio_result("polygonlabels", "cat", 0, points=percent(BOX), closed=True),
        studio_result("brushlabels", "dog", 1, format="rle", rle=encode_brush(ring_mask())),
    ]
    task = studio_task("/data/upload/1/0123abcd-a%20b.jpg?x=1", results)
    write_json(root / "project-1-at-2024.json", [task])


def yolo_dataset(root: Path, yaml: str) -> None:
    for split, seed in (("train", 0), ("val", 1)):
        photo(root / "images" / split / f"{split}.jpg", seed)
        values = " ".join(
            f"{v / s:.6f}" for v, s in zip(flat(BOX), [SIZE[1], SIZE[0]] * 4, strict=True)
        )
        path = root / "labels" / split / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"1 {values}\n")
    (root / "data.yaml").write_text(yaml)


def supervisely_dataset(root: Path) -> None:
    photo(root / "ds1" / "img" / "a.jpg")
    ring = ring_mask()[8:20, 16:28]
    bitmap = {
        "geometryType": "bitmap",
        "classTitle": "dog",
        "bitmap": {
            "data": base64.b64encode(zlib.compress(png(ring))).decode(),
            "origin": [16, 8],
        },
    }
    polygon = {
        "geometryType": "polygon",
        "classTitle": "cat",
        "points": {"exterior": [[2, 2], [11, 2], [11, 11], [2, 11]], "interior": []},
    }
    hole = [[4, 4], [7, 4], [7, 7], [4, 7]]
    polygon["points"] = {"exterior": polygon["points"]["exterior"], "interior": [hole]}  # type: ignore[index]
    write_json(
        root / "ds1" / "ann" / "a.jpg.json",
        {
            "description": "",
            "tags": [],
            "size": {"height": SIZE[0], "width": SIZE[1]},
            "objects": [polygon, bitmap],
        },
    )
    write_json(
        root / "meta.json",
        {
            "classes": [
                {"title": "cat", "shape": "polygon", "color": "#ff0000"},
                {"title": "dog", "shape": "bitmap", "color": "#00ff00"},
            ],
            "tags": [],
        },
    )
