"""COCO's annotations: instances, as Roboflow, CVAT and others write them too, and panoptic ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Region
from keras_deeplab.data.annotations.base_reader import (
    AnnotationReader,
    points_of,
    read_json,
    size_of,
)
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.annotations.shapes import IdImage, Polygon, RunLengths, Shape

_KEYS = (rb'"images"\s*:\s*\[', rb'"categories"\s*:\s*\[')


class CocoReader(AnnotationReader):
    """Instances; the files of one split, or of one photo, are joined."""

    title = "COCO annotations"
    keys = (*_KEYS, rb'"annotations"\s*:\s*\[')
    without = rb'"segments_info"\s*:'
    smaller_on_top = True
    damaged = (
        "error",
        "outline missing",
        "An annotation must have an outline (polygons or run lengths).",
    )

    def __init__(self, tree: FileTree) -> None:
        super().__init__(tree)
        self._photos: dict[tuple[str | None, str], AnnotatedPhoto] = {}
        self._seen: set[tuple[Any, ...]] = set()

    def read_file(self) -> None:
        content = read_json(self.path)
        names = category_names(content["categories"], content["annotations"])
        self.names.update(dict.fromkeys(names.values()))
        images = {row["id"]: self._photo(row) for row in content["images"]}
        for row in content["annotations"]:
            photo, name = images.get(row.get("image_id")), names.get(row.get("category_id"))
            if photo is None or name is None:
                missing = "image" if photo is None else "category"
                self.find_problem(
                    "error",
                    f"{missing} not in the file",
                    "An annotation must name an image and a category of its file.",
                    f"annotation {row.get('id')} with {missing}_id={row.get(f'{missing}_id')}",
                )
                continue
            # Instances and keypoints of COCO repeat the same annotations.
            key = (id(photo), row.get("id"), name, tuple(row.get("bbox") or ()), row.get("area"))
            if key in self._seen and row.get("id") is not None:
                continue
            self._seen.add(key)
            with self.part(f"annotation {row.get('id')} of {photo.reference!r}"):
                shape = _shape(row, photo)
                photo.regions.append(Region(name, shape, ignored=bool(row.get("iscrowd"))))

    def _photo(self, row: Any) -> AnnotatedPhoto:
        reference = str(row["file_name"])
        image = self.find_image(reference)
        key = (self.split, str(image or reference))
        if key not in self._photos:
            self._photos[key] = self.add_photo(reference, image, size_of(row))
        return self._photos[key]


def category_names(categories: Iterable[Any], annotations: Iterable[Any]) -> dict[Any, str]:
    """Returns class names by category id, sorted by id.

    Without Roboflow's category 0, which is only the parent of the others.
    """
    rows = sorted(categories, key=lambda row: row["id"])
    names = {row["id"]: str(row["name"]) for row in rows}
    parents = {row.get("supercategory") for row in rows}
    if (
        len(rows) > 1
        and rows[0]["id"] == 0
        and rows[0].get("supercategory") in (None, "", "none")
        and rows[0]["name"] in parents
        and not any(one.get("category_id") == 0 for one in annotations)
    ):
        del names[0]
    return names


def _shape(row: Any, photo: AnnotatedPhoto) -> Shape:
    outline = row.get("segmentation")
    if isinstance(outline, dict):
        height, width = (int(side) for side in outline["size"])
        photo.size = photo.size or (height, width)
        return RunLengths((height, width), outline["counts"])
    if not outline:
        raise ValueError("a box without an outline" if row.get("bbox") else "no outline")
    rings = outline if isinstance(outline[0], (list, tuple)) else [outline]
    return Polygon(tuple(points_of(ring) for ring in rings))


class PanopticReader(AnnotationReader):
    """A colour PNG of segment numbers for each photo; those without a class are ignored."""

    title = "COCO panoptic segments"
    keys = (*_KEYS, rb'"segments_info"\s*:\s*\[')
    unlabelled = "ignore"

    def read_file(self) -> None:
        content = read_json(self.path)
        rows = sorted(content["categories"], key=lambda row: row["id"])
        categories = {row["id"]: str(row["name"]) for row in rows}
        self.names.update(dict.fromkeys(categories.values()))
        for row in rows:
            if "color" in row:
                red, green, blue = row["color"]
                self.result.colours[str(row["name"])] = (int(red), int(green), int(blue))
        images = {row["id"]: row for row in content["images"]}
        for row in content["annotations"]:
            self._add(row, images[row["image_id"]], categories)

    def _add(self, row: Any, image: Any, categories: dict[Any, str]) -> None:
        name = PurePosixPath(row["file_name"])
        folder = PurePosixPath(self.relative).with_suffix("")

        def is_segments(one: str) -> bool:
            parts = one.split("/")
            return parts[-1] == name.name and (folder.name in parts or "panoptic" in one)

        path = self.tree.path(str(folder / name))
        if not path.is_file():
            found = filter(is_segments, self.tree.files.get(".png", ()))
            path = self.tree.path(next(found, str(folder / name)))
        segments = row["segments_info"]
        raster = IdImage(
            path,
            {segment["id"]: categories[segment["category_id"]] for segment in segments},
            frozenset(segment["id"] for segment in segments if segment.get("iscrowd")),
        )
        reference = str(image["file_name"])
        photo = self.find_image(reference)
        # The PNG may have the photo's name.
        if photo == path:
            others = (one for one in self.tree.by_name.get(name.stem, ()) if not is_segments(one))
            photo = next(map(self.tree.path, others), None)
        annotated = self.add_photo(reference, photo, size_of(image))
        annotated.file, annotated.raster = path, raster
