"""Finds duplicate images in a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def find_duplicates(seen: Sequence[Inspection]) -> list[Finding]:
    """Finds images with the same bytes, and images of different splits that look the same.

    Args:
        seen: The inspected images, those of a split together.

    Returns:
        Errors for images with the same bytes in two splits, warnings for others.
    """
    findings = []
    first: dict[bytes, Inspection] = {}
    for one in seen:
        other = first.setdefault(one.digest, one) if one.digest else one
        if other is not one:
            leak = other.split != one.split
            kind = "same image in two splits" if leak else "same image twice"
            level = "error" if leak else "warning"
            findings.append(_finding(level, kind, one, other, "the same"))
    for one, other in _lookalikes([*first.values()]):
        words = "all but the same"
        findings.append(_finding("warning", "alike in two splits", one, other, words))
    return findings


def _finding(level: str, kind: str, one: Inspection, other: Inspection, how: str) -> Finding:
    words = "An image should occur only once"
    if one.split != other.split:
        words = "Images of one split must not be in another, because that inflates its metrics"
    message = f"{words}. Received: {one.file!r} and {other.file!r}, {how}. Remove one."
    return Finding(level, kind, one.split, one.file, message)


def _lookalikes(images: Sequence[Inspection]) -> Iterator[tuple[Inspection, Inspection]]:
    """Yields each image with the most similar image of an earlier split, if similar enough."""
    images = [one for one in images if one.thumbnail.std() > _PLAIN]
    if not images:
        return
    vectors = np.stack([_signature(one.thumbnail) for one in images])
    order = {split: rank for rank, split in enumerate(dict.fromkeys(one.split for one in images))}
    ranks = np.array([order[one.split] for one in images])
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        # For unit vectors, |a - b|^2 = 2 - 2 ab.
        likeness = np.where(ranks[None] < ranks[part, None], vectors[part] @ vectors.T, -1)
        for row, column in enumerate(likeness.argmax(1)):
            one, other = images[start + row], images[column]
            contrast = one.thumbnail.std()
            distance = contrast * np.sqrt(max(0.0, 2 - 2 * float(likeness[row, column])))
            if likeness[row, column] > 0 and distance < _SAME and _same_shape(one, other):
                yield one, other


def _signature(thumbnail: np.ndarray) -> np.ndarray:
    centred = thumbnail.ravel() - thumbnail.mean()
    return centred / np.linalg.norm(centred)


def _same_shape(one: Inspection, other: Inspection) -> bool:
    """Returns whether one image may be a resized version of the other."""
    height, width = one.size
    other_height, other_width = other.size
    return abs(height * other_width / (width * other_height) - 1) < 0.05
