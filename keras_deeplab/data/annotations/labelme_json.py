"""LabelMe's JSON files, one for each photo."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from keras_deeplab._files import write_atomically
from keras_deeplab.data.annotations.annotated import Annotations, Region
from keras_deeplab.data.annotations.base_reader import (
    AnnotationReader,
    lines_of,
    points_of,
    read_json,
    size_of,
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

_IGNORED = "__ignore__"
_STROKES = {
    "circle": ("circle", 2),
    "rectangle": ("rectangle", 2),
    "line": ("line", 2),
    "linestrip": ("line", 2),
    "point": ("point", 1),
}
# X-AnyLabeling writes the last two.
_POLYGONS = ("polygon", "oriented_rectangle", "rotation", "quadrilateral")
_ENDINGS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"BM": ".bmp", b"GIF8": ".gif"}


class LabelMeReader(AnnotationReader):
    """Classes are those of labels.txt, then others sorted by name."""

    title = "LabelMe polygons"
    keys = (rb'"shapes"\s*:\s*\[',)
    file_per_photo = True
    damaged = ("error", "shape not readable", "A shape must have a label and its points.")

    @classmethod
    def find(cls, tree: FileTree) -> str | None:
        return tree.first_holding(cls.suffix, *cls.keys, rb'"imagePath"\s*:')

    def read(self) -> Annotations:
        path = self.tree.root / "labels.txt"
        listed = lines_of(path) if path.is_file() else []
        self.names = dict.fromkeys(name for name in listed if name != _IGNORED)
        return super().read()

    def read_file(self) -> None:
        content = read_json(self.path)
        reference = str(content.get("imagePath") or self.path.stem).replace("\\", "/")
        image: Path | None = self.path.parent / reference
        if not (image and image.is_file()):
            beside = f"{self.relative.rpartition('/')[0]}/{self.path.stem}"
            image = self.find_image(beside) or self.find_image(reference)
        if image is None and content.get("imageData"):
            image = _embedded(base64_bytes(content["imageData"]))
        size = size_of(content, "imageHeight", "imageWidth")
        photo = self.add_photo(reference, image, size)
        for number, row in enumerate(content["shapes"]):
            with self.part(f"shape {number} of {reference!r}"):
                name = str(row["label"]).strip()
                photo.regions.append(Region(name, _shape(row), ignored=name == _IGNORED))


def _embedded(data: bytes) -> Path:
    """Writes a photo that is stored in an annotation file, and returns its path."""
    base = os.environ.get("KERAS_DEEPLAB_CACHE") or Path(gettempdir(), "keras_deeplab")
    ending = next((end for head, end in _ENDINGS.items() if data.startswith(head)), ".img")
    path = Path(base).expanduser() / "labelme" / f"{sha256(data).hexdigest()[:24]}{ending}"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as partial:
            partial.write_bytes(data)
    return path


def _shape(row: Any) -> Shape:
    kind = row.get("shape_type") or "polygon"
    points = points_of(row["points"])
    if kind in _POLYGONS:
        return Polygon((points,), inclusive=True)
    if kind == "mask":
        left, top = np.floor(points[0]).astype(int).tolist()
        return Bitmap(partial(png_mask, base64_bytes(row["mask"])), top, left)
    drawn, needed = _STROKES.get(kind, ("", 0))
    if not drawn:
        raise ValueError(f"shape_type {kind!r} is not known")
    if len(points) < needed:
        raise ValueError(f"a {kind} of {len(points)} points")
    return Stroke(drawn, points)
