"""Label Studio's JSON and JSON-MIN exports: polygons, brushes, rectangles and ellipses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Region, upright_size
from keras_deeplab.data.annotations.base_reader import (
    AnnotationReader,
    NoAreaError,
    points_of,
    read_json,
)
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.annotations.label_studio_rle import decode_brush
from keras_deeplab.data.annotations.shapes import (
    Bitmap,
    Polygon,
    Shape,
    Size,
    base64_bytes,
    ellipse,
    png_mask,
    rectangle,
)
from keras_deeplab.data.images import IMAGE_SUFFIXES

_GEOMETRY = rb"(polygon|brush|rectangle|ellipse|bitmask|)labels"
_SHAPES = ("points", "rle", "x", "vertices", "imageDataURL")
# Others are keypoints, or vectors of lines.
_AREAS = ("points", "rle", "height", "radiusX", "imageDataURL")
_SHORT = (rb"^\s*\[\s*\{", rb'"%s"\s*:\s*\[' % _GEOMETRY, rb'"original_width"\s*:')


class LabelStudioReader(AnnotationReader):
    """Classes are sorted by name.

    Of several annotations of a task, the one marked as ground truth counts, else the last that was
    not cancelled. Tasks without any are left out.
    """

    title = "Label Studio regions"
    keys = (rb'"(annotations|completions|predictions)"\s*:\s*\[', rb'"data"\s*:\s*\{')
    damaged = ("error", "region not readable", "A region must have its coordinates and size.")
    no_area = (
        "warning",
        "region without area",
        "A region must have an area; others are left out.",
    )

    @classmethod
    def find(cls, tree: FileTree) -> str | None:
        return super().find(tree) or tree.first_holding(cls.suffix, *_SHORT)

    def files(self) -> Iterable[str]:
        return dict.fromkeys([*super().files(), *self.tree.holding(self.suffix, *_SHORT)])

    def read_file(self) -> None:
        content = read_json(self.path)
        for task in content if isinstance(content, list) else [content]:
            reference = _reference(task.get("data", task))
            image = self.find_image(reference)
            regions = _regions(task)
            if regions is not None:
                photo = self.add_photo(reference, image, None)
                for row, names in regions:
                    with self.part(f"region {row.get('id')!r} of {reference!r}"):
                        photo.regions.append(_region(photo, row, names))
            elif image is not None:
                self.result.unannotated.append(image)


def _reference(data: Any) -> str:
    """Returns the address of a task's photo: "image", or the first that looks like one."""
    texts = [str(data[key]) for key in ("image", "img") if isinstance(data.get(key), str)]
    others = [value for value in data.values() if isinstance(value, str)]
    texts += [value for value in others if _suffix(value) in IMAGE_SUFFIXES]
    texts += [value for value in others if "/" in value]
    if not texts:
        raise ValueError("a task without the address of its photo")
    return texts[0]


def _suffix(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    # Local files: /data/local-files/?d=folder/photo.jpg
    path = parts.query if parts.query.startswith("d=") else parts.path
    return PurePosixPath(unquote(path)).suffix.lower()


def _regions(task: Any) -> list[tuple[Any, list[str]]] | None:
    """Returns regions with their labels; None if nobody has annotated the task."""
    if "data" not in task:
        lists = [value for value in task.values() if isinstance(value, list)]
        rows = [row for value in lists for row in value if isinstance(row, dict)]
        return [(row, names) for row in rows if (names := _labels(row))]
    # Tasks for an import have predictions only; those of an export have annotations too.
    made = task.get("annotations", task.get("completions", task.get("predictions"))) or []
    made = [one for one in made if not one.get("was_cancelled")]
    if not made:
        return None
    chosen = next((one for one in made if one.get("ground_truth")), made[-1])
    joined: dict[Any, tuple[Any, list[str]]] = {}
    for number, row in enumerate(chosen.get("result", ())):
        value = row.get("value") or {}
        if not isinstance(value, dict) or value.keys().isdisjoint(_SHAPES):
            continue
        # Shape and label may be two results of one id.
        key = row.get("id", number)
        names = joined.get(key, (None, []))[1] + _labels(value)
        joined[key] = (row | value, list(dict.fromkeys(names)))
    return list(joined.values())


def _labels(value: dict[str, Any]) -> list[str]:
    return [
        str(name).strip()
        for key, names in value.items()
        if key.endswith("labels") and isinstance(names, list)
        for name in names
    ]


def _region(photo: AnnotatedPhoto, row: Any, names: list[str]) -> Region:
    if row.keys().isdisjoint(_AREAS):
        raise NoAreaError("a keypoint or line")
    own = None
    if "original_width" in row and "original_height" in row:
        own = (int(row["original_height"]), int(row["original_width"]))
    if photo.size is None:
        # Early exports and imported predictions do not state the size.
        photo.size = own or (upright_size(photo.image) if photo.image else None)
    if photo.size is None:
        raise ValueError("it has no original_width and original_height")
    if row.get("image_rotation"):
        raise ValueError("the photo was rotated in the tool")
    if not names:
        raise ValueError("it has no label")
    return Region(names[0], _shape(row, own or photo.size, photo.size))


def _shape(row: Any, own: Size, size: Size) -> Shape:
    """Returns the shape of a region in an image of `size`; its brush is of the size `own`."""
    height, width = size

    def pixels(key: str, side: int) -> float:
        return float(row[key]) * side / 100

    if "rle" in row:
        stream = np.frombuffer(bytes(row["rle"]), "uint8")
        return Bitmap(lambda: _scaled(decode_brush(stream, *own), size))
    if "imageDataURL" in row:
        data = base64_bytes(row["imageDataURL"])
        return Bitmap(lambda: _scaled(png_mask(data), size))
    if "points" in row:
        return Polygon((points_of(row["points"]) * (width / 100, height / 100),))
    x, y = pixels("x", width), pixels("y", height)
    rotation = float(row.get("rotation") or 0)
    if "radiusX" in row:
        radii = (pixels("radiusX", width), pixels("radiusY", height))
        return Polygon((ellipse(x, y, radii, rotation),))
    corners = rectangle(x, y, pixels("width", width), pixels("height", height), rotation)
    return Polygon((corners,))


def _scaled(mask: np.ndarray, size: Size) -> np.ndarray:
    """Returns a mask in another size, by nearest neighbour."""
    if mask.shape == size:
        return mask
    rows, columns = (
        (np.arange(new) + 0.5) * old // new for new, old in zip(size, mask.shape, strict=True)
    )
    return mask[np.ix_(rows.astype(int), columns.astype(int))]
