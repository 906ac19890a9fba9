"""Finds duplicate images in a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_deeplab.data.annotations.annotated import Finding
from keras_deeplab.data.checks.inspection import Inspection

# Root mean square, in grey levels 0-255 over 16 x 16 cells, brightness and contrast removed, by
# which two versions of one photo differ at most. Of 200 photos at JPEG quality 40 and two thirds
# the size it is 1.2, at most 2.6; no two of 800 different photos are nearer than 9.8.
_SAME = 4.0
# Standard deviation, in grey levels, below which an image is too uniform to be compared.
_PLAIN = 8.0
_CHUNK = 512


class _Seen(NamedTuple):
    split: str
    file: str
    inspection: Inspection


def find_duplicates(seen: Sequence[tuple[str, str, Inspection]]) -> list[Finding]:
    """Finds images with the same bytes, and images of different splits that look the same.

    Args:
        seen: Split, file and inspection of each image.

    Returns:
        Errors for images with the same bytes in two splits, warnings for others.
    """
    images = [_Seen(*one) for one in seen if one[2].digest]
    findings = []
    first: dict[bytes, _Seen] = {}
    rest = []
    for one in images:
        other = first.setdefault(one.inspection.digest, one)
        if other is one:
            rest.append(one)
        elif other.split == one.split:
            findings.append(_finding("warning", "same image twice", one, other, "the same"))
        else:
            findings.append(
                _finding("error", "same image in two splits", one, other, "the same", leak=True)
            )
    for one, other in _lookalikes(rest):
        findings.append(
            _finding("warning", "alike in two splits", one, other, "all but the same", leak=True)
        )
    return findings


def _finding(
    level: str, kind: str, one: _Seen, other: _Seen, how: str, *, leak: bool = False
) -> Finding:
    words = (
        "Images of one split must not be in another, because that inflates its metrics"
        if leak
        else "An image should occur only once"
    )
    return Finding(
        level,
        kind,
        one.split,
        one.file,
        f"{words}. Received: {one.file!r} and {other.file!r}, {how}. Remove one.",
    )


def _lookalikes(images: Sequence[_Seen]) -> Iterator[tuple[_Seen, _Seen]]:
    """Yields each image with the most similar image of an earlier split, if similar enough."""
    images = [one for one in images if one.inspection.thumbnail.std() > _PLAIN]
    if not images:
        return
    vectors = np.stack([_signature(one.inspection.thumbnail) for one in images])
    order = {split: rank for rank, split in enumerate(dict.fromkeys(one.split for one in images))}
    ranks = np.array([order[one.split] for one in images])
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        # For unit vectors, |a - b|^2 = 2 - 2 ab.
        likeness = np.where(ranks[None] < ranks[part, None], vectors[part] @ vectors.T, -1)
        for row, column in enumerate(likeness.argmax(1)):
            one, other = images[start + row], images[column]
            contrast = one.inspection.thumbnail.std()
            distance = contrast * np.sqrt(max(0.0, 2 - 2 * float(likeness[row, column])))
            if likeness[row, column] > 0 and distance < _SAME and _same_shape(one, other):
                yield one, other


def _signature(thumbnail: np.ndarray) -> np.ndarray:
    centred = thumbnail.ravel() - thumbnail.mean()
    return centred / np.linalg.norm(centred)


def _same_shape(one: _Seen, other: _Seen) -> bool:
    """Returns whether one image may be a resized version of the other."""
    height, width = one.inspection.size
    other_height, other_width = other.inspection.size
    return abs(height * other_width / (width * other_height) - 1) < 0.05
