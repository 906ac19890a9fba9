"""Supervisely's projects: meta.json, and folders ann and img for each dataset."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations, Region
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.json_files import DAMAGED, note_damage, points_of, read_json
from keras_deeplab.data.annotations.shapes import (
    Bitmap,
    Polygon,
    Shape,
    Stroke,
    base64_bytes,
    png_mask,
)

_META = (rb'"classes"\s*:\s*\[', rb'"title"\s*:')
_KEYS = (rb'"objects"\s*:\s*\[', rb'"size"\s*:\s*\{')
_BITMAPS = ("bitmap", "alpha_mask")
_WITHOUT_AREA = ("point", "line", "graph", "cuboid", "cuboid_2d")


def find_supervisely(tree: FileTree) -> str | None:
    """Returns an annotation file of Supervisely, if there is one."""
    found = tree.first_holding(".json", *_KEYS)
    return found if found and "/ann/" in f"/{found}" else None


def read_supervisely(tree: FileTree) -> Annotations:
    """Reads all datasets of a project; later objects cover earlier ones."""
    result = Annotations("Supervisely bitmaps and polygons")
    names: dict[str, None] = {}
    for relative in tree.holding(".json", *_META):
        if relative.rpartition("/")[2] != "meta.json":
            continue
        try:
            for row in read_json(tree.path(relative))["classes"]:
                names[str(row["title"])] = None
                color = str(row.get("color", ""))
                if len(color) == 7:
                    red, green, blue = bytes.fromhex(color[1:])
                    result.colours[str(row["title"])] = (red, green, blue)
        except DAMAGED as error:
            note_damage(result, tree.path(relative), error)
    for relative in tree.holding(".json", *_KEYS):
        try:
            _add_photo(result, tree, relative)
        except DAMAGED as error:
            note_damage(result, tree.path(relative), error)
    used = {name for photo in result.photos for name in photo.names()}
    names.update(dict.fromkeys(sorted(used)))
    result.class_names = tuple(names)
    return result


def _add_photo(result: Annotations, tree: FileTree, relative: str) -> None:
    path = tree.path(relative)
    content = read_json(path)
    folder, _, name = relative.rpartition("/")
    # NAME.jpg.json; in older exports NAME.json.
    reference = f"{folder.removesuffix('ann')}img/{name.removesuffix('.json')}"
    image = tree.find_image(reference, near=relative)
    size = (int(content["size"]["height"]), int(content["size"]["width"]))
    photo = AnnotatedPhoto(reference, image, path, size, split=split_of(folder))
    result.photos.append(photo)
    for number, row in enumerate(content["objects"]):
        try:
            shape = _shape(row)
        except (*DAMAGED, zlib.error) as error:
            words = (
                f"An object must have a class and its geometry. Received: object {number} of "
                f"{str(path)!r} ({error})."
            )
            result.find("error", "object not readable", path, words)
            continue
        if shape is None:
            words = (
                f"An object must have an area; others are left out. Received: object {number} of "
                f"{str(path)!r}, a {row.get('geometryType')}."
            )
            result.find("warning", "object without area", path, words)
            continue
        photo.regions.append(Region(str(row["classTitle"]), shape))


def _shape(row: Any) -> Shape | None:
    kind = row.get("geometryType") or ("bitmap" if row.get("bitmap") else "polygon")
    row["classTitle"]  # An object without a class is damaged.
    if kind in _WITHOUT_AREA:
        return None
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
