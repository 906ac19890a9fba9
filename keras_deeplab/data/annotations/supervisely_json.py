"""Supervisely's projects: meta.json, and folders ann and img for each dataset."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import Annotations, Region
from keras_deeplab.data.annotations.base_reader import (
    AnnotationReader,
    NoAreaError,
    points_of,
    read_json,
)
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.annotations.shapes import (
    Bitmap,
    Polygon,
    Shape,
    Stroke,
    base64_bytes,
    png_mask,
)

_META = (rb'"classes"\s*:\s*\[', rb'"title"\s*:')
_BITMAPS = ("bitmap", "alpha_mask")
_WITHOUT_AREA = ("point", "line", "graph", "cuboid", "cuboid_2d")


class SuperviselyReader(AnnotationReader):
    """All datasets of a project; later objects cover earlier ones."""

    title = "Supervisely bitmaps and polygons"
    keys = (rb'"objects"\s*:\s*\[', rb'"size"\s*:\s*\{')
    file_per_photo = True
    damaged = ("error", "object not readable", "An object must have a class and its geometry.")
    no_area = (
        "warning",
        "object without area",
        "An object must have an area; others are left out.",
    )

    @classmethod
    def find(cls, tree: FileTree) -> str | None:
        found = super().find(tree)
        return found if found and "/ann/" in f"/{found}" else None

    def read(self) -> Annotations:
        for relative in self.tree.holding(".json", *_META):
            if relative.rpartition("/")[2] != "meta.json":
                continue
            with self.reading(relative):
                for row in read_json(self.path)["classes"]:
                    self.names[str(row["title"])] = None
                    self.add_colour(str(row["title"]), row.get("color"))
        return super().read()

    def read_file(self) -> None:
        content = read_json(self.path)
        folder, _, name = self.relative.rpartition("/")
        # NAME.jpg.json; in older exports NAME.json.
        reference = f"{folder.removesuffix('ann')}img/{name.removesuffix('.json')}"
        size = (int(content["size"]["height"]), int(content["size"]["width"]))
        photo = self.add_photo(reference, self.find_image(reference), size)
        for number, row in enumerate(content["objects"]):
            with self.part(f"object {number} of {reference!r}"):
                photo.regions.append(Region(str(row["classTitle"]), _shape(row)))


def _shape(row: Any) -> Shape:
    kind = row.get("geometryType") or ("bitmap" if row.get("bitmap") else "polygon")
    if kind in _WITHOUT_AREA:
        raise NoAreaError(f"a {kind}")
    if kind in _BITMAPS:
        left, top = (int(side) for side in row["bitmap"]["origin"])
        data = base64_bytes(row["bitmap"]["data"])
        return Bitmap(partial(_bitmap, data), top, left)
    # The tool rounds points to whole pixels.
    outer = np.round(points_of(row["points"]["exterior"]))
    if kind == "rectangle":
        return Stroke("rectangle", outer)
    if kind != "polygon":
        raise ValueError(f"geometryType {kind!r} is not known")
    holes = tuple(np.round(points_of(hole)) for hole in row["points"].get("interior") or ())
    return Polygon((outer,), holes, inclusive=True)


def _bitmap(data: bytes) -> np.ndarray:
    """Returns the mask of a PNG that zlib has compressed, or that is as it was."""
    return png_mask(data if data.startswith(b"\x89PNG") else zlib.decompress(data))
