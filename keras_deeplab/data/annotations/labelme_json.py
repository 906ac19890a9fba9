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

_KEYS = (rb'"shapes"\s*:\s*\[', rb'"imagePath"\s*:')
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


def find_labelme(tree: FileTree) -> str | None:
    """Returns a LabelMe file, if there is one."""
    return tree.first_holding(".json", *_KEYS)


def read_labelme(tree: FileTree) -> Annotations:
    """Reads all LabelMe files. Classes are those of labels.txt, or sorted by name."""
    result = Annotations("LabelMe polygons")
    for relative in tree.holding(".json", rb'"shapes"\s*:\s*\['):
        path = tree.path(relative)
        try:
            content = read_json(path)
            photo = _photo(tree, relative, content)
        except DAMAGED as error:
            note_damage(result, path, error)
            continue
        result.photos.append(photo)
        for number, row in enumerate(content["shapes"]):
            _add_region(result, photo, number, row)
    result.class_names = _class_names(tree, result)
    return result


def _photo(tree: FileTree, relative: str, content: Any) -> AnnotatedPhoto:
    path = tree.path(relative)
    reference = str(content.get("imagePath") or path.stem).replace("\\", "/")
    beside = path.parent / reference
    image: Path | None = beside
    if not beside.is_file():
        image = tree.find_image(f"{relative.rpartition('/')[0]}/{path.stem}", near=relative)
        image = image or tree.find_image(reference, near=relative)
    if image is None and content.get("imageData"):
        image = _embedded(base64_bytes(content["imageData"]))
    size = None
    if content.get("imageHeight") and content.get("imageWidth"):
        size = (int(content["imageHeight"]), int(content["imageWidth"]))
    split = split_of(relative.rpartition("/")[0])
    return AnnotatedPhoto(reference, image, path, size, split=split)


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


def _add_region(result: Annotations, photo: AnnotatedPhoto, number: int, row: Any) -> None:
    try:
        name = str(row["label"]).strip()
        shape = _shape(row)
    except DAMAGED as error:
        result.find(
            "error",
            "shape not readable",
            photo.file,
            f"A shape must have a label and its points. Received: shape {number} of "
            f"{str(photo.file)!r} ({error}).",
        )
        return
    photo.regions.append(Region(name, shape, ignored=name == _IGNORED))


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


def _class_names(tree: FileTree, result: Annotations) -> tuple[str, ...]:
    used = {name for photo in result.photos for name in photo.names()}
    listed: list[str] = []
    path = tree.root / "labels.txt"
    if path.is_file():
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        listed = [line.strip() for line in lines if line.strip()]
    names = [*listed, *sorted(used - set(listed))]
    return tuple(name for name in dict.fromkeys(names) if name != _IGNORED)
