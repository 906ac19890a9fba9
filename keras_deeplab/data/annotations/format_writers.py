"""Writes the annotations of COCO, LabelMe, Label Studio, CVAT and Ultralytics' YOLO."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image

from keras_deeplab._files import write_text
from keras_deeplab.data.annotations.base_writer import AnnotationWriter, bounds
from keras_deeplab.data.annotations.label_studio_rle import encode_brush
from keras_deeplab.data.annotations.outlines import Outline
from keras_deeplab.data.annotations.shapes import encode_runs


class CocoWriter(AnnotationWriter):
    """One JSON file of COCO's instances."""

    file = "coco.json"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        rows = []
        for outline in found:
            top, left, bottom, right = bounds(outline.mask)
            rows.append(
                {
                    "category_id": outline.label + 1 - self.labels[0],
                    "segmentation": _coco_runs(outline.mask)
                    if self.masks
                    else [np.round(ring, 2).ravel().tolist() for ring in outline.rings],
                    "area": int(outline.mask.sum()),
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                }
            )
        return {"file_name": photo.name, "height": size[0], "width": size[1]}, rows

    def _all(self, contents: list[Any]) -> dict[str, str]:
        images: list[Any] = []
        annotations: list[Any] = []
        for number, (image, rows) in enumerate(contents, 1):
            images.append({"id": number, **image})
            for row in rows:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **row})
        categories = [
            {"id": label + 1 - self.labels[0], "name": self.class_names[label], "supercategory": ""}
            for label in self.labels
        ]
        content = {
            "info": {"description": "Written by keras_deeplab"},
            "licenses": [],
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        return {self.file: json.dumps(content)}


class LabelMeWriter(AnnotationWriter):
    """One LabelMe file for each photo, and the list of labels."""

    file = "labels.txt"
    inclusive = True

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Path:
        shapes: list[Any] = []
        for number, outline in enumerate(found, 1):
            parts: list[Any] = [{"points": np.round(ring, 2).tolist()} for ring in outline.rings]
            if self.masks:
                top, left, bottom, right = bounds(outline.mask)
                points = [[left, top], [right - 1, bottom - 1]]
                mask = _png(outline.mask[top:bottom, left:right])
                parts = [{"shape_type": "mask", "points": points, "mask": mask}]
            shape: dict[str, Any] = {
                "label": self.class_names[outline.label],
                "points": [],
                "group_id": number if len(parts) > 1 else None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            shapes += [shape | part for part in parts]
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": os.path.relpath(photo, self.folder).replace(os.sep, "/"),
            "imageData": None,
            "imageHeight": size[0],
            "imageWidth": size[1],
        }
        return write_text(self.folder / f"{photo.stem}.json", json.dumps(content, indent=1))

    def _all(self, contents: list[Any]) -> dict[str, str]:
        names = [self.class_names[label] for label in self.labels]
        return {self.file: "\n".join(["__ignore__", "_background_", *names, ""])}


class LabelStudioWriter(AnnotationWriter):
    """Tasks with predictions for Label Studio, and a labelling interface for them."""

    file = "label_studio.json"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        height, width = size
        kind = "brushlabels" if self.masks else "polygonlabels"
        results: list[Any] = []
        for outline in found:
            values: list[dict[str, Any]] = [
                {
                    "points": (np.round(ring, 2) * (100 / width, 100 / height)).tolist(),
                    "closed": True,
                }
                for ring in outline.rings
            ]
            if self.masks:
                values = [{"format": "rle", "rle": encode_brush(outline.mask)}]
            for value in values:
                results.append(
                    {
                        "id": f"r{len(results)}",
                        "type": kind,
                        "from_name": "label",
                        "to_name": "image",
                        "original_width": width,
                        "original_height": height,
                        "image_rotation": 0,
                        "value": {**value, kind: [self.class_names[outline.label]]},
                    }
                )
        return {
            "data": {"image": f"/data/local-files/?d={quote(photo.name)}"},
            "predictions": [{"model_version": "keras_deeplab", "result": results}],
        }

    def _all(self, contents: list[Any]) -> dict[str, str]:
        tag = "BrushLabels" if self.masks else "PolygonLabels"
        labels = "".join(
            f"    <Label value={quoteattr(self.class_names[label])} "
            f'background="{self._colour(label)}"/>\n'
            for label in self.labels
        )
        interface = (
            f'<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <{tag} name="label" toName="image">\n{labels}  </{tag}>\n</View>\n'
        )
        return {self.file: json.dumps(contents), "label_studio_interface.xml": interface}


class CvatWriter(AnnotationWriter):
    """One file of CVAT for images 1.1."""

    file = "annotations.xml"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        lines = []
        for number, outline in enumerate(found, 1):
            start = f"label={quoteattr(self.class_names[outline.label])}" + ' source="auto"'
            if self.masks:
                top, left, bottom, right = bounds(outline.mask)
                runs = ", ".join(map(str, encode_runs(outline.mask[top:bottom, left:right])))
                lines.append(
                    f'    <mask {start} occluded="0" rle="{runs}" left="{left}" top="{top}" '
                    f'width="{right - left}" height="{bottom - top}" z_order="0"></mask>\n'
                )
                continue
            group = f' group_id="{number}"' if len(outline.rings) > 1 else ""
            for ring in outline.rings:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
                lines.append(
                    f'    <polygon {start} occluded="0" points="{points}" z_order="0"{group}>'
                    f"</polygon>\n"
                )
        return (photo.name, size, "".join(lines))

    def _all(self, contents: list[Any]) -> dict[str, str]:
        labels = "".join(
            f"<label><name>{escape(self.class_names[label])}</name><color>{self._colour(label)}"
            f"</color><attributes></attributes></label>"
            for label in self.labels
        )
        images = "".join(
            f'  <image id="{number}" name={quoteattr(name)} width="{size[1]}" height="{size[0]}">\n'
            f"{lines}  </image>\n"
            for number, (name, size, lines) in enumerate(contents)
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
            f"  <meta><task><size>{len(contents)}</size><mode>annotation</mode>"
            f"<labels>{labels}</labels></task></meta>\n{images}</annotations>\n"
        )
        return {self.file: text}


class YoloWriter(AnnotationWriter):
    """Ultralytics' folders images and labels, with data.yaml; the photos are copied."""

    file = "data.yaml"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        lines = []
        for outline in found:
            for ring in outline.rings:
                shares = np.clip(ring / size[::-1], 0, 1)
                values = " ".join(f"{value:.6f}" for value in shares.ravel())
                lines.append(f"{outline.label - self.labels[0]} {values}\n")
        image = self.folder / "images" / photo.name
        image.parent.mkdir(exist_ok=True)
        if image.resolve() != photo.resolve():
            shutil.copyfile(photo, image)
        path = self.folder / "labels" / f"{photo.stem}.txt"
        path.parent.mkdir(exist_ok=True)
        return write_text(path, "".join(lines))

    def _all(self, contents: list[Any]) -> dict[str, str]:
        import yaml

        names = {label - self.labels[0]: self.class_names[label] for label in self.labels}
        content = {"path": ".", "train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        return {self.file: text}


def _coco_runs(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco

    runs = coco.encode(np.asfortranarray(mask.astype("uint8")))
    return {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()}


def _png(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
