"""CVAT for images, XML 1.1."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations, Region
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.json_files import DAMAGED, note_damage, points_of
from keras_deeplab.data.annotations.shapes import (
    Bitmap,
    Polygon,
    Shape,
    decode_runs,
    ellipse,
    rectangle,
)

_KEYS = (rb"<annotations\b", rb"<(image|track)\b[^>]*>", rb"<version>\s*1\.")
# Elements, and types of labels, that have no area.
_WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid", "tag")


def find_cvat(tree: FileTree) -> str | None:
    """Returns a file of CVAT for images, if there is one."""
    return tree.first_holding(".xml", *_KEYS)


def read_cvat(tree: FileTree) -> Annotations:
    """Reads all XML files; regions are drawn by z_order, then in the order of the file."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, iterparse

    result = Annotations("CVAT for images 1.1")
    names: dict[str, None] = {}
    for relative in tree.holding(".xml", *_KEYS):
        path = tree.path(relative)
        frames: dict[int, AnnotatedPhoto] = {}
        try:
            for _, element in iterparse(path):
                if element.tag == "label" and (name := element.findtext("name")):
                    # Parts of skeletons have a parent.
                    if not element.findtext("parent") and element.findtext("type") not in (
                        _WITHOUT_AREA
                    ):
                        names[name.strip()] = None
                    _add_colour(result, name.strip(), element.findtext("color"))
                elif element.tag == "image":
                    _add_photo(result, tree, relative, element)
                    element.clear()
                elif element.tag == "track":
                    _add_track(result, tree, relative, element, frames)
                    element.clear()
        # LookupError: an unknown encoding.
        except (ParseError, DefusedXmlException, LookupError, *DAMAGED) as error:
            note_damage(result, path, error)
    used = {name for photo in result.photos for name in photo.names()}
    names.update(dict.fromkeys(sorted(used)))
    result.class_names = tuple(names)
    return result


def _add_colour(result: Annotations, name: str, text: str | None) -> None:
    if text and re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = bytes.fromhex(text[1:])
        result.colours[name] = (red, green, blue)


def _add_photo(result: Annotations, tree: FileTree, relative: str, element: Any) -> None:
    reference = element.get("name", "")
    subset = split_of(element.get("subset") or "") or split_of(relative)
    image = tree.find_image(reference, near=relative, split=subset)
    size = None
    if element.get("height") and element.get("width"):
        size = (int(element.get("height")), int(element.get("width")))
    photo = AnnotatedPhoto(reference, image, tree.path(relative), size, split=subset)
    result.photos.append(photo)
    for part in element:
        if part.tag not in ("tag", "attribute"):
            _add_shape(result, photo, part, str(part.get("label")).strip())


def _add_track(
    result: Annotations,
    tree: FileTree,
    relative: str,
    element: Any,
    frames: dict[int, AnnotatedPhoto],
) -> None:
    """Adds a track of a video: its shape in each frame in which it is seen.

    CVAT names the photos of frames frame_000000.png, ...
    """
    split = split_of(relative)
    for part in element:
        if part.get("outside") == "1":
            continue
        number = int(part.attrib["frame"])
        if number not in frames:
            reference = f"images/frame_{number:06d}"
            image = tree.find_image(reference, near=relative, split=split)
            frames[number] = AnnotatedPhoto(
                reference, image, tree.path(relative), None, split=split
            )
            result.photos.append(frames[number])
        _add_shape(result, frames[number], part, str(element.get("label")).strip())


def _add_shape(result: Annotations, photo: AnnotatedPhoto, part: Any, name: str) -> None:
    try:
        shape = _shape(part)
    except DAMAGED as error:
        result.find(
            "error",
            "shape not readable",
            photo.file,
            f"A {part.tag} must have its coordinates. Received: one of {photo.reference!r} in "
            f"{str(photo.file)!r} ({error}).",
        )
        return
    if shape is None:
        result.find(
            "warning",
            "shape without area",
            photo.file,
            f"A {part.tag} has no area and is left out. Received: one of {name!r} in "
            f"{photo.reference!r} in {str(photo.file)!r}.",
        )
        return
    photo.regions.append(Region(name, shape, int(part.get("z_order") or 0)))


def _shape(part: Any) -> Shape | None:
    def number(name: str) -> float:
        return float(part.attrib[name])

    if part.tag in _WITHOUT_AREA:
        return None
    if part.tag == "polygon":
        pairs = [pair.split(",") for pair in part.attrib["points"].split(";") if pair.strip()]
        return Polygon((points_of([[float(x), float(y)] for x, y in pairs]),))
    rotation = float(part.get("rotation") or 0)
    if part.tag == "box":
        low, high = (np.array((number(f"x{end}"), number(f"y{end}"))) for end in ("tl", "br"))
        # CVAT rotates around the centre.
        centre, (width, height) = (low + high) / 2, high - low
        corner = rectangle(0, 0, -width / 2, -height / 2, rotation)[2]
        x, y = (centre + corner).tolist()
        return Polygon((rectangle(x, y, width, height, rotation),))
    if part.tag == "ellipse":
        radii = (number("rx"), number("ry"))
        return Polygon((ellipse(number("cx"), number("cy"), radii, rotation),))
    if part.tag == "mask":
        counts = np.array(part.attrib["rle"].split(","), "int64")
        rows, columns = int(number("height")), int(number("width"))
        if counts.sum() != rows * columns:
            raise ValueError(f"run lengths of {counts.sum()} pixels for {rows * columns}")
        draw = partial(decode_runs, counts, rows, columns)
        return Bitmap(draw, int(number("top")), int(number("left")))
    raise ValueError(f"<{part.tag}> is not known")
