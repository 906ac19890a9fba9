"""Outlines of the regions of a mask: polygons in pixel corners, simplified, with their holes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely

from keras_deeplab.data.annotations.shapes import Polygon

# IoU of a region's pixels and those of its outlines, as the tool draws them.
_LEAST_IOU = 0.988
# Distances, pixels, by which an outline may be moved; the largest that keeps the IoU is used.
_TOLERANCES = (1.5, 1.25, 1.0, 0.85, 0.75, 0.6, 0.5, 0.4, 0.35, 0.3, 0.2)
# Pixels; longer edges of an outline are sides of the region.
_LONGEST_STEP = 2


class Outline(NamedTuple):
    """A connected region of one class.

    Attributes:
        label: Label id.
        rings: Closed outlines without holes whose union is the region, float64 (points, 2), x and
            y. A region with holes is cut through them into several. In pixel corners, or in pixel
            centres if they are inclusive.
        mask: Its pixels, bool (height, width).
    """

    label: int
    rings: tuple[np.ndarray, ...]
    mask: np.ndarray


def outlines(
    labels: np.ndarray,
    *,
    skip: tuple[int, ...] = (),
    smallest: int = 10,
    tolerance: float = 1.5,
    inclusive: bool = False,
) -> Iterator[Outline]:
    """Yields the connected regions of a mask, largest first.

    Args:
        labels: Label ids (height, width).
        skip: Labels to leave out, such as the background.
        smallest: Least number of pixels of a region, and of a hole.
        tolerance: Largest distance, pixels, by which an outline may be moved. It is lowered where
            the IoU with the region's pixels would fall below 0.988.
        inclusive: Whether outlines are for tools that fill the pixels on an outline too, such as
            LabelMe.
    """
    found: list[tuple[float, int, shapely.Polygon]] = []
    for label in np.unique(labels).tolist():
        if label not in skip:
            found += [
                (polygon.area, label, polygon)
                for polygon in _polygons(labels == label)
                if polygon.area >= smallest
            ]
    for _, label, polygon in sorted(found, key=lambda one: (-one[0], one[1])):
        holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= smallest]
        polygon = shapely.Polygon(polygon.exterior, holes)
        mask = _pixels(polygon, labels.shape)
        if rings := _simplified(polygon, mask, tolerance, inclusive):
            yield Outline(label, rings, mask)


def _polygons(mask: np.ndarray) -> list[shapely.Polygon]:
    """Returns the connected regions of a mask as Shapely polygons in pixel corners."""
    rows = np.flatnonzero(mask.any(1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    steps = np.diff(np.pad(mask[top:bottom], ((0, 0), (1, 1))).astype("int8"), axis=1)
    row, left = np.nonzero(steps == 1)
    _, right = np.nonzero(steps == -1)
    # Regions that touch in a corner are apart: a union of boxes joins edges only.
    whole = shapely.union_all(shapely.box(left, row + top, right, row + top + 1))
    parts = shapely.get_parts(whole)
    return [part for part in shapely.simplify(parts, 0).tolist() if part.area]


def _simplified(
    polygon: shapely.Polygon, mask: np.ndarray, tolerance: float, inclusive: bool
) -> tuple[np.ndarray, ...]:
    """Returns the outlines of the fewest points that keep the IoU."""
    found = []
    for start in {id(one): one for one in (polygon, _without_steps(polygon))}.values():
        for step in sorted({tolerance, *_TOLERANCES}, reverse=True):
            if step > tolerance or step <= 0:
                continue
            rings = _rings(start, inclusive, step)
            if rings and _iou(Polygon(rings, inclusive=inclusive), mask) >= _LEAST_IOU:
                found.append(rings)
                break
    return min(found, key=lambda rings: sum(map(len, rings)), default=_rings(polygon, inclusive))


def _rings(
    polygon: shapely.Polygon, inclusive: bool, tolerance: float = 0
) -> tuple[np.ndarray, ...]:
    if tolerance and not inclusive:
        polygon = polygon.simplify(tolerance)
        if not polygon.is_valid or polygon.geom_type != "Polygon":
            return ()
    parts = [part for part in _without_holes(polygon) if part.area]
    if inclusive:
        # Half a pixel inside, in the coordinates of pixel centres.
        inner = [part.buffer(-0.49, join_style="mitre").simplify(tolerance) for part in parts]
        parts = [one for part in inner for one in _polygons_of(part)]
    shift = 0.48 if inclusive else 0.0
    return tuple(_rings_of(part)[0] - shift for part in parts)


def _without_steps(polygon: shapely.Polygon) -> shapely.Polygon:
    """Returns a polygon whose slanted sides are straight instead of steps, if that is valid."""
    rings = [_smooth(ring) for ring in _rings_of(polygon)]
    if any(len(ring) < 3 for ring in rings):
        return polygon
    smooth = shapely.Polygon(rings[0], rings[1:])
    return smooth if smooth.is_valid else polygon


def _smooth(ring: np.ndarray) -> np.ndarray:
    """Returns an outline with short steps, whose ends turn in opposite ways, as their midpoints."""
    edges = np.roll(ring, -1, 0) - ring
    before = np.roll(edges, 1, 0)
    turns = np.sign(before[:, 0] * edges[:, 1] - before[:, 1] * edges[:, 0])
    step = (turns * np.roll(turns, -1) < 0) & (np.abs(edges).sum(1) <= _LONGEST_STEP)
    corner = ~step & ~np.roll(step, 1)
    points = np.stack([ring, ring + edges / 2], 1)
    kept = np.stack([corner, step], 1)
    smooth: np.ndarray = points[kept]
    return smooth


def _polygons_of(shape: shapely.Polygon) -> list[shapely.Polygon]:
    parts = shapely.get_parts(shape).tolist()
    return [part for part in parts if part.geom_type == "Polygon" and part.area]


def _iou(shape: Polygon, mask: np.ndarray) -> float:
    patch = shape.patch((mask.shape[0], mask.shape[1]))
    if patch is None:
        return 0.0
    shared = int((patch.part_of(mask) & patch.mask).sum())
    return shared / (int(patch.mask.sum()) + int(mask.sum()) - shared)


def _without_holes(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """Yields polygons without holes, cut along rows of pixels through the middle of a hole."""
    if not polygon.interiors:
        yield polygon
        return
    left, top, right, bottom = polygon.bounds
    hole = shapely.Polygon(polygon.interiors[0]).bounds
    middle = round((hole[1] + hole[3]) / 2)
    if not top < middle < bottom:
        middle = (hole[1] + hole[3]) / 2
    for low, high in ((top, middle), (middle, bottom)):
        for one in _polygons_of(polygon.intersection(shapely.box(left, low, right, high))):
            yield from _without_holes(one)


def _pixels(polygon: shapely.Polygon, size: tuple[int, ...]) -> np.ndarray:
    outer, *holes = _rings_of(polygon)
    patch = Polygon((outer,), tuple(holes)).patch((size[0], size[1]))
    mask = np.zeros(size, bool)
    if patch is not None:
        patch.part_of(mask)[:] = patch.mask
    return mask


def _rings_of(polygon: shapely.Polygon) -> list[np.ndarray]:
    """Returns the outline of a polygon and those of its holes, without the repeated last point."""
    return [np.asarray(ring.coords)[:-1] for ring in (polygon.exterior, *polygon.interiors)]
