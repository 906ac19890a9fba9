"""Shapes of annotated regions, and how each tool turns them into pixels."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image, ImageDraw

Size = tuple[int, int]


class Patch(NamedTuple):
    """The pixels of a region: a bool array with its place in the image."""

    mask: np.ndarray
    top: int
    left: int

    def part_of(self, image: np.ndarray) -> np.ndarray:
        """Returns these pixels of an image, as a view."""
        height, width = self.mask.shape
        return image[self.top : self.top + height, self.left : self.left + width]


class Shape(Protocol):
    """The shape of a region, in pixels of the annotated image."""

    def patch(self, size: Size) -> Patch | None:
        """Returns the pixels inside an image of the given size, or None if there are none."""


@dataclass(frozen=True, eq=False)
class Polygon(Shape):
    """Outlines and holes.

    Attributes:
        rings: Outlines, whose union is the region: float arrays of shape (points, 2), x and y.
        holes: Outlines of what is not part of the region.
        inclusive: Whether the pixels on an outline belong to the region, as Pillow and OpenCV draw
            it (LabelMe, Supervisely). Otherwise those belong to it whose centre is inside, as
            pycocotools draws it (COCO, CVAT, Label Studio, YOLO).
    """

    rings: tuple[np.ndarray, ...]
    holes: tuple[np.ndarray, ...] = ()
    inclusive: bool = False

    def patch(self, size: Size) -> Patch | None:
        height, width = size
        # The drawing libraries allocate memory by the length of an edge.
        limits = np.array([[-width, -height], [2 * width, 2 * height]], "float64")
        rings = [np.clip(ring, *limits) for ring in self.rings if len(ring) > 2]
        if not rings:
            return None
        low = np.maximum(np.floor(np.min([ring.min(0) for ring in rings], 0)), 0).astype(int)
        high = np.ceil(np.max([ring.max(0) for ring in rings], 0)).astype(int) + 1
        high = np.minimum(high, (width, height))
        if (high <= low).any():
            return None
        window = (int(high[1] - low[1]), int(high[0] - low[0]))
        fill = _fill_inclusive if self.inclusive else _fill_by_centre
        mask = fill([ring - low for ring in rings], window)
        holes = [np.clip(hole, *limits) - low for hole in self.holes if len(hole) > 2]
        if holes:
            mask = mask & ~fill(holes, window)
        return Patch(mask, int(low[1]), int(low[0]))


def _fill_by_centre(rings: Sequence[np.ndarray], size: Size) -> np.ndarray:
    from pycocotools import mask as coco

    runs = coco.frPyObjects([ring.ravel().tolist() for ring in rings], *size)
    mask: np.ndarray = coco.decode(coco.merge(runs) if len(runs) > 1 else runs[0])
    return mask.view(bool)


def _fill_inclusive(rings: Sequence[np.ndarray], size: Size) -> np.ndarray:
    image = Image.new("L", size[::-1])
    draw = ImageDraw.Draw(image)
    for ring in rings:
        draw.polygon(ring.ravel().tolist(), outline=1, fill=1)
    return np.asarray(image).view(bool)


@dataclass(frozen=True, eq=False)
class Stroke(Shape):
    """A circle, rectangle, line or point through float points (points, 2), as LabelMe draws it."""

    kind: str
    points: np.ndarray

    def patch(self, size: Size) -> Patch | None:
        image = Image.new("L", size[::-1])
        draw = ImageDraw.Draw(image)
        points = np.clip(self.points, -(2**15), 2**15)
        if self.kind == "rectangle":
            draw.rectangle([*points.min(0).tolist(), *points.max(0).tolist()], outline=1, fill=1)
        elif self.kind == "line":
            draw.line(points.ravel().tolist(), fill=1, width=10)
        else:
            radius = 5.0 if self.kind == "point" else math.dist(points[0], points[1])
            box = [*(points[0] - radius).tolist(), *(points[0] + radius).tolist()]
            draw.ellipse(box, outline=1, fill=1)
        return Patch(np.asarray(image).view(bool), 0, 0)


@dataclass(frozen=True, eq=False)
class RunLengths(Shape):
    """COCO's run lengths of 0 and 1 in turn, column by column: a list, or pycocotools' text."""

    size: Size
    counts: str | list[int]

    def patch(self, size: Size) -> Patch | None:
        height, width = self.size
        if isinstance(self.counts, str):
            from pycocotools import mask as coco

            runs = {"size": [height, width], "counts": self.counts.encode()}
            return _clipped(coco.decode(runs).view(bool), 0, 0, size)
        return _clipped(decode_runs(self.counts, width, height).T, 0, 0, size)


def encode_runs(mask: np.ndarray) -> list[int]:
    """Returns run lengths of 0 and 1 in turn, row by row."""
    borders = np.flatnonzero(np.diff(mask.ravel(), prepend=False))
    lengths: list[int] = np.diff(borders, prepend=0, append=mask.size).tolist()
    return lengths


def decode_runs(counts: Sequence[int] | np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Returns the bool array (rows, columns) of run lengths of 0 and 1 in turn, row by row.

    Raises:
        ValueError: If the lengths do not add up to the size.
    """
    lengths = np.asarray(counts, "int64")
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != rows * columns:
        raise ValueError(
            f"Run lengths must add up to the size of their mask. Received: {int(lengths.sum())} "
            f"pixels for {rows * columns}."
        )
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(rows, columns)


@dataclass(frozen=True, eq=False)
class Bitmap(Shape):
    """A bool mask, or a function that returns it, of the part of an image from (top, left)."""

    source: Any
    top: int = 0
    left: int = 0

    def patch(self, size: Size) -> Patch | None:
        mask = self.source() if callable(self.source) else self.source
        return _clipped(mask, self.top, self.left, size)


def png_mask(data: bytes) -> np.ndarray:
    """Returns the bool mask of a PNG file: its alpha channel if it has one, else what is not 0."""
    with Image.open(io.BytesIO(data)) as image:
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            return np.asarray(image.convert("RGBA"))[..., 3] > 0
        pixels = np.asarray(image)
    mask: np.ndarray = (pixels != 0).any(-1) if pixels.ndim == 3 else pixels != 0
    return mask


def base64_bytes(text: str) -> bytes:
    """Decodes base64, with or without the head of a data address."""
    return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text)


def _clipped(mask: np.ndarray, top: int, left: int, size: Size) -> Patch | None:
    """Returns the part of a mask that is inside an image."""
    above, before = max(0, -top), max(0, -left)
    part = mask[above : max(0, size[0] - top), before : max(0, size[1] - left)]
    return Patch(part, max(0, top), max(0, left)) if part.size else None


def rectangle(x: float, y: float, width: float, height: float, degrees: float = 0) -> np.ndarray:
    """Returns the corners of a rectangle that is rotated clockwise around its first corner."""
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], "float64")
    return _rotated(corners, degrees) + np.array((x, y))


def ellipse(x: float, y: float, radii: tuple[float, float], degrees: float = 0) -> np.ndarray:
    """Returns a polygon of 128 points around a centre, rotated clockwise."""
    angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    circle = np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], 1)
    return _rotated(circle, degrees) + np.array((x, y))


def _rotated(points: np.ndarray, degrees: float) -> np.ndarray:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned: np.ndarray = points @ np.array([(cosine, sine), (-sine, cosine)])
    return turned


@dataclass(frozen=True, eq=False)
class IdImage:
    """A colour PNG of COCO's panoptic format: classes by segment number, and those to ignore."""

    path: Any
    names: dict[int, str]
    crowds: frozenset[int] = field(default_factory=frozenset)

    def numbers(self) -> np.ndarray:
        """Returns R + 256 G + 65536 B, int64 (height, width)."""
        with Image.open(self.path) as image:
            pixels = np.asarray(image.convert("RGB"), "int64")
        numbers: np.ndarray = pixels @ np.array((1, 256, 65536))
        return numbers
