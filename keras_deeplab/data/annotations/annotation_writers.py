"""Writes masks as the annotations that labelling tools import."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from keras_deeplab._files import write_atomically
from keras_deeplab._validation import check_choice, check_int
from keras_deeplab.data.annotations.annotated_source import BACKGROUNDS
from keras_deeplab.data.annotations.label_studio_rle import encode_brush
from keras_deeplab.data.annotations.outlines import Outline, for_inclusive, outlines
from keras_deeplab.presets.datasets import Palette, voc_palette


class AnnotationWriter(ABC):
    """Writes the masks of photos in the format of a labelling tool; from `annotation_writer`.

    Every connected region of a class becomes a polygon, or several if it has holes; the background
    is left out. `add` may be called from several threads.

    Attributes:
        folder: Folder to write to.
        class_names: Names by label id.
        palette: RGB colours by label id.
        masks: Whether regions are written as pixels (run lengths, bitmaps) instead of polygons.
        smallest: Least number of pixels of a region, and of a hole.
        tolerance: Largest distance, pixels, by which a polygon may differ from its region.
    """

    file: ClassVar[str]

    def __init__(
        self,
        folder: Path,
        class_names: Sequence[str],
        palette: Palette | None,
        *,
        masks: bool,
        smallest: int,
        tolerance: float,
    ) -> None:
        self.folder = folder
        self.class_names = tuple(class_names)
        self.palette = palette or voc_palette(len(self.class_names))
        self.masks = masks
        self.smallest = smallest
        self.tolerance = tolerance
        first = self.class_names[0].lower() in BACKGROUNDS
        self.labels = range(int(first), len(self.class_names))
        self._lock = threading.Lock()
        self._photos: dict[Path, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, photo: Path, labels: np.ndarray) -> tuple[Path, ...]:
        """Adds the mask of a photo.

        Args:
            photo: Image file.
            labels: Label ids (height, width), of the upright photo.

        Returns:
            The files that were written for this photo; none if there is one for all.
        """
        skip = tuple(label for label in np.unique(labels).tolist() if label not in self.labels)
        found = list(outlines(labels, skip=skip, smallest=self.smallest, tolerance=self.tolerance))
        written, content = self._one(photo, (labels.shape[0], labels.shape[1]), found)
        with self._lock:
            self._photos[photo] = content
        return written

    def finish(self) -> tuple[Path, ...]:
        """Writes the files for all photos, and returns their paths."""
        with self._lock:
            contents = [self._photos[photo] for photo in sorted(self._photos)]
        return self._all(contents)

    @abstractmethod
    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
        """Returns the files of a photo, which it writes, and what `_all` needs of it."""

    @abstractmethod
    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
        """Writes the files for all photos."""

    def _colour(self, label: int) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.palette[label])


class CocoWriter(AnnotationWriter):
    """One JSON file of COCO's instances."""

    file = "coco.json"

    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
        rows = []
        for outline in found:
            top, left, bottom, right = _box(outline.mask)
            rows.append(
                {
                    "category_id": outline.label + 1 - self.labels[0],
                    "segmentation": _coco_runs(outline.mask)
                    if self.masks
                    else [_rounded(ring).ravel().tolist() for ring in outline.rings],
                    "area": int(outline.mask.sum()),
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                }
            )
        image = {"file_name": photo.name, "height": size[0], "width": size[1]}
        return (), (image, rows)

    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
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
        info = {"description": "Written by keras_deeplab"}
        content: dict[str, Any] = {
            "info": info,
            "licenses": [],
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        return (_write(self.folder / self.file, json.dumps(content)),)


class LabelMeWriter(AnnotationWriter):
    """One LabelMe file for each photo."""

    file = ""

    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
        shapes = []
        for number, outline in enumerate(found, 1):
            if self.masks:
                top, left, bottom, right = _box(outline.mask)
                points = [[left, top], [right - 1, bottom - 1]]
                shapes.append(self._shape(outline, "mask", points, None))
                shapes[-1]["mask"] = _png(outline.mask[top:bottom, left:right])
                continue
            rings = [one for ring in outline.rings for one in for_inclusive(ring)]
            group = number if len(rings) > 1 else None
            shapes += [
                self._shape(outline, "polygon", _rounded(ring).tolist(), group) for ring in rings
            ]
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": os.path.relpath(photo, self.folder).replace(os.sep, "/"),
            "imageData": None,
            "imageHeight": size[0],
            "imageWidth": size[1],
        }
        path = self.folder / f"{photo.stem}.json"
        return (_write(path, json.dumps(content, indent=1)),), None

    def _shape(
        self, outline: Outline, kind: str, points: list[Any], group: int | None
    ) -> dict[str, Any]:
        return {
            "label": self.class_names[outline.label],
            "points": points,
            "group_id": group,
            "description": "",
            "shape_type": kind,
            "flags": {},
            "mask": None,
        }

    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
        names = ["__ignore__", "_background_"]
        names += [self.class_names[label] for label in self.labels]
        return (_write(self.folder / "labels.txt", "\n".join(names) + "\n"),)


class LabelStudioWriter(AnnotationWriter):
    """Tasks with predictions for Label Studio, and a labelling interface for them."""

    file = "label_studio.json"

    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
        height, width = size
        kind = "brushlabels" if self.masks else "polygonlabels"
        results: list[Any] = []
        for outline in found:
            values: list[dict[str, Any]] = [
                {"points": (_rounded(ring) * (100 / width, 100 / height)).tolist(), "closed": True}
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
        return (), {
            "data": {"image": f"/data/local-files/?d={photo.name}"},
            "predictions": [{"model_version": "keras_deeplab", "result": results}],
        }

    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
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
        return (
            _write(self.folder / self.file, json.dumps(contents)),
            _write(self.folder / "label_studio_interface.xml", interface),
        )


class CvatWriter(AnnotationWriter):
    """One file of CVAT for images 1.1."""

    file = "annotations.xml"

    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
        lines = []
        for number, outline in enumerate(found, 1):
            start = f"label={quoteattr(self.class_names[outline.label])}" + ' source="auto"'
            if self.masks:
                top, left, bottom, right = _box(outline.mask)
                runs = ", ".join(map(str, _runs(outline.mask[top:bottom, left:right])))
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
        return (), (photo.name, size, "".join(lines))

    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
        labels = "".join(
            f"<label><name>{_text(self.class_names[label])}</name><color>{self._colour(label)}"
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
        return (_write(self.folder / self.file, text),)


class YoloWriter(AnnotationWriter):
    """Ultralytics' folders images and labels, with data.yaml; the photos are copied."""

    file = "data.yaml"

    def _one(
        self, photo: Path, size: tuple[int, int], found: list[Outline]
    ) -> tuple[tuple[Path, ...], Any]:
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
        return (_write(path, "".join(lines)),), None

    def _all(self, contents: list[Any]) -> tuple[Path, ...]:
        import yaml

        names = {label - self.labels[0]: self.class_names[label] for label in self.labels}
        content = {"path": ".", "train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        return (_write(self.folder / self.file, text),)


WRITERS: dict[str, type[AnnotationWriter]] = {
    "coco": CocoWriter,
    "cvat": CvatWriter,
    "labelme": LabelMeWriter,
    "labelstudio": LabelStudioWriter,
    "yolo": YoloWriter,
}


def annotation_writer(
    kind: str,
    folder: str | Path,
    class_names: Sequence[str],
    *,
    palette: Palette | None = None,
    masks: bool = False,
    smallest: int = 10,
    tolerance: float = 1.5,
) -> AnnotationWriter:
    """Returns a writer of annotations.

    Args:
        kind: "coco", "cvat", "labelme", "labelstudio", "yolo"; or the name of a JSON file for COCO.
        folder: Folder to write to; created if it does not exist.
        class_names: Names by label id. A first class called "background" is not written.
        palette: RGB colours by label id. Default: VOC's.
        masks: Whether to write run lengths or bitmaps instead of polygons.
        smallest: Least number of pixels of a region, and of a hole.
        tolerance: Largest distance, pixels, by which a polygon may differ from its region. It is
            lowered where the IoU of the two would fall below 0.99.

    Raises:
        ValueError: If the format is unknown, or has no masks.

    Example:

    >>> from tempfile import TemporaryDirectory
    >>> labels = np.zeros((40, 60), "uint8")
    >>> labels[10:30, 20:50] = 1
    >>> with TemporaryDirectory() as folder:
    ...     writer = annotation_writer("coco", folder, ["background", "cat"])
    ...     writer.add(Path("cat.jpg"), labels)
    ...     row = json.loads(writer.finish()[0].read_text())["annotations"][0]
    ()
    >>> row["bbox"], len(row["segmentation"][0])
    ([20, 10, 30, 20], 8)
    """
    folder = Path(folder).expanduser()
    name = kind.lower().replace("_", "").replace("-", "")
    file = None
    if kind.lower().endswith(".json"):
        path = Path(kind).expanduser()
        folder = path.parent if path.parent != Path() else folder
        name, file = "coco", path.name
    check_choice("The format of annotations", name, (*WRITERS, "coco.json"))
    check_int("smallest", smallest, minimum=1)
    if tolerance < 0:
        raise ValueError(f"tolerance must be 0 or more. Received: tolerance={tolerance!r}.")
    if masks and name == "yolo":
        raise ValueError("YOLO's format must hold polygons. Received: masks=True.")
    writer = WRITERS[name](
        folder, class_names, palette, masks=masks, smallest=smallest, tolerance=tolerance
    )
    if file is not None:
        writer.file = file  # type: ignore[misc]
    return writer


def _write(path: Path, text: str) -> Path:
    with write_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _rounded(ring: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.round(ring, 2)
    return rounded


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns top, left, bottom and right of a region; bottom and right are not part of it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _runs(mask: np.ndarray) -> list[int]:
    """Returns run lengths of 0 and 1 in turn, row by row."""
    flat = np.concatenate([[False], mask.ravel()])
    borders = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.concatenate([[0], borders, [mask.size]])
    return [int(length) for length in np.diff(ends)]


def _coco_runs(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco

    runs = coco.encode(np.asfortranarray(mask.astype("uint8")))
    return {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()}


def _png(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _text(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
