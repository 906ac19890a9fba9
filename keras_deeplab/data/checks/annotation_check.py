"""Checks the annotations of labelling tools: outlines, class names, photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np
import shapely

from keras_deeplab.data.annotations.annotated import (
    AnnotatedPhoto,
    Annotations,
    Finding,
    upright_size,
)
from keras_deeplab.data.annotations.shapes import Polygon, RunLengths

# Pixels, and share of the photo, by which an outline may reach beyond the photo: tools let the
# pointer slip over the border.
_BEYOND_PIXELS, _BEYOND_SHARE = 2, 0.01
# Likeness of two names, 0 to 1, from which they may be one class: "pedestrian", "pedestrain".
_ALIKE = 0.88
_SHORTEST = 5


def check_annotations(annotations: Annotations) -> list[Finding]:
    """Finds problems in annotations.

    Errors: damaged files and regions, outlines without an area, run lengths of another size,
    annotated photos that are missing, nothing annotated. Warnings: outlines that cross themselves
    or reach beyond the photo, photos without annotations, class names that differ by case or a few
    letters.
    """
    photos = annotations.photos
    findings = list(annotations.problems)
    found = Counter(region.name for photo in photos for region in photo.regions)
    file = str(photos[0].file)
    if not any(photo.names() for photo in photos):
        words = f"There must be a region. Received: none in {len(photos)} photos."
        findings.append(Finding("error", "nothing annotated", "all", file, words))
    for photo in photos:
        if photo.image is None:
            findings.append(
                Finding(
                    "error",
                    "annotated photo missing",
                    photo.split or "all",
                    str(photo.file),
                    f"Every annotated photo must be in the folder. Received: no "
                    f"{photo.reference!r}, which {str(photo.file)!r} names.",
                )
            )
        findings += _outlines(photo)
        findings += _sizes(photo)
    read = {photo.image for photo in photos}
    for image in annotations.unannotated:
        rest = "It is read as background." if image in read else "It is left out."
        words = f"A photo should have annotations. Received: {str(image)!r} without. {rest}"
        findings.append(Finding("warning", "photo not annotated", "all", str(image), words))
    for one, other in combinations(annotations.class_names, 2):
        if _alike(one, other):
            words = (
                f"A class must have one name. Received: {one!r} ({found[one]} regions) and "
                f"{other!r} ({found[other]}). If they are one class, rename one in the tool."
            )
            findings.append(Finding("warning", "class names alike", "all", file, words))
    return findings


def _sizes(photo: AnnotatedPhoto) -> Iterator[Finding]:
    for region in photo.regions:
        if isinstance(region.shape, RunLengths) and region.shape.size != photo.size:
            (height, width), size = region.shape.size, photo.size or (0, 0)
            yield Finding(
                "error",
                "size differs",
                photo.split or "all",
                str(photo.image or photo.file),
                f"Run lengths must be of their photo's size. Received: one of {region.name!r} of "
                f"{height}x{width} for {size[0]}x{size[1]} (height x width), in "
                f"{photo.reference!r} ({str(photo.file)!r}).",
            )


def _outlines(photo: AnnotatedPhoto) -> Iterator[Finding]:
    rings = [
        (region.name, ring)
        for region in photo.regions
        if isinstance(region.shape, Polygon)
        for ring in (*region.shape.rings, *region.shape.holes)
    ]
    whole = [(name, ring) for name, ring in rings if len(ring) > 2]
    shapes = np.array([shapely.Polygon(ring) for _, ring in whole], object)
    crossing = ~shapely.is_valid(shapes)
    # An outline that crosses itself may have an area of 0, as an 8 has.
    empty = (shapely.area(shapes) == 0) & ~crossing
    flat = np.array([_is_flat(ring) for _, ring in whole], bool)
    for (name, ring), crosses, is_empty in zip(whole, crossing & ~flat, empty | flat, strict=True):
        if is_empty:
            yield _finding(photo, "error", "outline without area", name, "without an area", ring)
        elif crosses:
            words = "that crosses itself"
            yield _finding(photo, "warning", "outline crosses itself", name, words, ring)
    for name, ring in rings:
        if len(ring) < 3:
            words = f"of {len(ring)} points"
            yield _finding(photo, "error", "outline without area", name, words, ring)
    yield from _beyond(photo, whole)


def _is_flat(ring: np.ndarray) -> bool:
    """Returns whether all points are on a line."""
    return bool(np.linalg.matrix_rank(ring - ring[0], tol=1e-6) < 2)


def _beyond(photo: AnnotatedPhoto, rings: Sequence[tuple[str, np.ndarray]]) -> Iterator[Finding]:
    size = photo.size
    if size is None and photo.image is not None and rings:
        try:
            size = upright_size(photo.image)
        except (ValueError, OSError):
            return  # The check of the photo reports it.
    if size is None:
        return
    limits = np.array(size[::-1])
    slack = np.maximum(_BEYOND_PIXELS, _BEYOND_SHARE * limits)
    for name, ring in rings:
        if (ring.min(0) < -slack).any() or (ring.max(0) > limits + slack).any():
            words = f"that reaches beyond the photo of {size[0]}x{size[1]} (height x width)"
            yield _finding(photo, "warning", "outline beyond the photo", name, words, ring)


def _finding(
    photo: AnnotatedPhoto, level: str, kind: str, name: str, words: str, ring: np.ndarray
) -> Finding:
    x, y = ring[0] if len(ring) else (0, 0)
    return Finding(
        level,
        kind,
        photo.split or "all",
        str(photo.image or photo.file),
        f"An outline must enclose an area, without crossing itself, inside its photo. Received: "
        f"one of {name!r} {words}, from x={x:.0f}, y={y:.0f}, in {photo.reference!r} "
        f"({str(photo.file)!r}).",
    )


def _alike(one: str, other: str) -> bool:
    first, second = _plain(one), _plain(other)
    if first == second:
        return True
    if min(len(first), len(second)) < _SHORTEST or any(c.isdigit() for c in first + second):
        return False
    return SequenceMatcher(None, first, second).ratio() >= _ALIKE


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
