"""CVAT for images, XML 1.1."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Region
from keras_deeplab.data.annotations.base_reader import (
    AnnotationReader,
    NoAreaError,
    points_of,
    size_of,
)
from keras_deeplab.data.annotations.file_tree import split_of
from keras_deeplab.data.annotations.shapes import (
    Bitmap,
    Polygon,
    Shape,
    decode_runs,
    ellipse,
    rectangle,
)

# Elements, and types of labels, that have no area.
_WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid", "tag")


class CvatReader(AnnotationReader):
    """Regions are drawn by z_order, then in the order of the file."""

    title = "CVAT for images 1.1"
    suffix = ".xml"
    keys = (rb"<annotations\b", rb"<(image|track)\b[^>]*>", rb"<version>\s*1\.")
    damaged = ("error", "shape not readable", "A shape must have its coordinates.")

    def read_file(self) -> None:
        from defusedxml.ElementTree import iterparse

        frames: dict[int, AnnotatedPhoto] = {}
        for _, element in iterparse(self.path):
            if element.tag == "label" and (name := element.findtext("name")):
                # Parts of skeletons have a parent.
                if not element.findtext("parent") and element.findtext("type") not in _WITHOUT_AREA:
                    self.names[name.strip()] = None
                self.add_colour(name.strip(), element.findtext("color"))
            elif element.tag == "image":
                self._add_image(element)
                element.clear()
            elif element.tag == "track":
                self._add_track(element, frames)
                element.clear()

    def _add_image(self, element: Any) -> None:
        reference = element.get("name", "")
        split = split_of(element.get("subset") or "") or self.split
        image = self.tree.find_image(reference, near=self.relative, split=split)
        photo = self.add_photo(reference, image, size_of(element))
        photo.split = split
        for part in element:
            if part.tag not in ("tag", "attribute"):
                self._add_shape(photo, part, part.get("label"))

    def _add_track(self, element: Any, frames: dict[int, AnnotatedPhoto]) -> None:
        """Adds a track of a video: its shape in each frame in which it is seen.

        CVAT names the photos of frames frame_000000.png, ...
        """
        for part in element:
            if part.get("outside") == "1":
                continue
            number = int(part.attrib["frame"])
            if number not in frames:
                reference = f"images/frame_{number:06d}"
                frames[number] = self.add_photo(reference, self.find_image(reference), None)
            self._add_shape(frames[number], part, element.get("label"))

    def _add_shape(self, photo: AnnotatedPhoto, part: Any, label: str | None) -> None:
        name = str(label).strip()
        with self.part(f"a {part.tag} of {name!r} in {photo.reference!r}"):
            photo.regions.append(Region(name, _shape(part), int(part.get("z_order") or 0)))


def _shape(part: Any) -> Shape:
    def number(name: str) -> float:
        return float(part.attrib[name])

    if part.tag in _WITHOUT_AREA:
        raise NoAreaError(f"a {part.tag}")
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
