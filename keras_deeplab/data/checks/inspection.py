"""Checks one image and its mask."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_deeplab._files import check_file
from keras_deeplab.data.annotations.annotated import TURNED, Finding
from keras_deeplab.data.images import DARK, orientation, read_image
from keras_deeplab.data.sources import SegmentationFiles, size_words

_THUMBNAIL = 16
# A mask with more invalid ids than this contains interpolated values instead of ids.
_MANY_IDS = 12
# Share of slopes at the borders of a mask: 2 % at most in 362 masks of CamVid, COCO and VOC, half
# in the same resized by a bilinear filter to 3/2 or 1/2. Ids 0 and 1 have no value in between.
_SLOPES, _SLOPE_PIXELS = 0.2, 20
# End markers of complete files.
_ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


@dataclass
class Inspection:
    """The results for one example.

    Attributes:
        split: Name of the split.
        file: The image.
        findings: Problems.
        counts: Number of pixels by label id; empty if the mask was not read.
        digest: Hash of the bytes of the image; empty if it was not read.
        thumbnail: float32 (16, 16), grey levels of the image; empty if it was not read.
        size: (height, width) of the upright image; (0, 0) if it is not known.
    """

    split: str
    file: str
    findings: list[Finding] = field(default_factory=list)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, "int64"))
    digest: bytes = b""
    thumbnail: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), "float32"))
    size: tuple[int, int] = (0, 0)

    def find(self, kind: str, file: Path, message: object, level: str = "error") -> None:
        """Adds a problem."""
        self.findings.append(Finding(level, kind, self.split, str(file), str(message)))


def inspect_example(
    data: SegmentationFiles, index: int, split: str, *, read_pixels: bool, read_labels: bool
) -> Inspection:
    """Checks one example of a split.

    An image or mask that is not to be decoded is, if its header or its end are unusual.
    """
    example = data.examples[index]
    result = Inspection(split, str(example.image))
    find = result.find
    try:
        header = _header(example.image)
        result.size = header.size
        if header.orientation != 1:
            find(
                "turned by EXIF",
                example.image,
                f"The image is turned upright by its EXIF orientation {header.orientation}; its "
                f"mask must be of the upright image. Received: {str(example.image)!r}.",
                level="warning",
            )
        if read_pixels or not header.whole:
            image = read_image(example.image)
            result.digest = sha256(example.image.read_bytes()).digest()
            result.thumbnail = thumbnail(image)
            # Pillow gives some TIFF files the size of the turned image before it decodes them.
            result.size = (image.shape[0], image.shape[1])
            if 0 < image.max() < DARK:
                find(
                    "dark image",
                    example.image,
                    f"An image should use the levels 0-255. Received: {str(example.image)!r} with "
                    f"levels up to {image.max()}. If it holds 10, 12 or 14 bits in a file of 16, "
                    f"scale the levels.",
                    level="warning",
                )
    except (ValueError, OSError) as error:
        find("image not readable", example.image, error)
    labels = None
    try:
        mask_size: tuple[int, ...] | None = None
        if example.drawn is None and example.mask.suffix.lower() != ".mat":
            mask_header = _header(example.mask)
            mask_size, whole = mask_header.size, mask_header.whole
            if mask_header.orientation != 1:
                find(
                    "mask turned by EXIF",
                    example.mask,
                    f"The mask is turned by its own EXIF orientation {mask_header.orientation}. "
                    f"Received: {str(example.mask)!r}. If the ids were drawn on the upright image, "
                    f"remove the EXIF block.",
                    level="warning",
                )
        if read_labels or mask_size is None or not whole:
            labels = data.read_labels(index)
            mask_size = labels.shape
        if result.size != (0, 0) and mask_size != result.size:
            find("size differs", example.mask, size_words(example, result.size, mask_size))
    except (ValueError, OSError) as error:
        find("mask not readable", example.mask, error)
    if labels is not None:
        result.counts = np.bincount(labels.ravel())
        _find_labels(result, data, example.mask)
        if (
            example.drawn is None
            and all(one.level == "warning" for one in result.findings)
            and is_interpolated(labels, data.ignore_class)
        ):
            find(
                "mask resized with interpolation",
                example.mask,
                f"Ids must not be mixed. Received: {str(example.mask)!r}, in which the border "
                f"between two ids contains intermediate ids. Resize masks by nearest "
                f"neighbour.",
            )
    return result


class _Header(NamedTuple):
    size: tuple[int, int]
    orientation: int
    whole: bool


def _header(path: Path) -> _Header:
    """Reads the header: upright size, orientation. What Pillow cannot identify is incomplete."""
    check_file(path, "An image or mask")
    try:
        with Image.open(path) as image:
            turn = orientation(image)
            size = image.size if turn in TURNED else image.size[::-1]
            ending = _ENDINGS.get(str(image.format))
    except Exception:
        # Pillow's readers raise exceptions of many types. Decoding the file reports the error.
        return _Header((0, 0), 1, whole=False)
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1024))
        whole = ending is not None and ending in file.read()
    return _Header(size, turn, whole)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns the grey levels of a photo in 16 x 16 cells, float32."""
    grey = Image.fromarray(image).convert("L")
    return np.asarray(grey.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), "float32")


def is_interpolated(labels: np.ndarray, ignore_class: int) -> bool:
    """Returns whether a mask was resized with interpolation of its ids.

    Interpolation turns a border between ids 0 and 8 into a sequence such as 0 4 8, which is rare in
    unmodified masks.
    """
    between = borders = 0
    for rows in (labels.astype("int32"), labels.T.astype("int32")):
        left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
        known = (left != ignore_class) & (middle != ignore_class) & (right != ignore_class)
        slope = ((left < middle) & (middle < right)) | ((left > middle) & (middle > right))
        between += int((slope & known).sum())
        borders += int(((abs(left - right) > 1) & known).sum())
    return between >= _SLOPE_PIXELS and between > _SLOPES * borders


def _find_labels(result: Inspection, data: SegmentationFiles, mask: Path) -> None:
    """Adds the problems with the ids of a mask."""
    classes, counts = len(data.class_names), result.counts
    ids = np.flatnonzero(counts).tolist()
    wrong = [label for label in ids if label >= classes and label != data.ignore_class]
    if wrong:
        result.find(
            "label out of range",
            mask,
            f"Labels must be 0 to {classes - 1}, or {data.ignore_class} for ignored pixels. "
            f"Received: {', '.join(map(str, wrong[:5]))}{', ...' * (len(wrong) > 5)} "
            f"({counts[wrong].sum() / counts.sum():.1%} of the pixels) in {str(mask)!r}."
            f"{_guess(ids, wrong, data)}",
        )
    elif ids == [data.ignore_class]:
        result.find(
            "nothing but ignored",
            mask,
            f"A mask must hold classes. Received: {str(mask)!r} with nothing but the ignored "
            f"label {data.ignore_class}.",
            level="warning",
        )


def _guess(ids: list[int], wrong: list[int], data: SegmentationFiles) -> str:
    classes, ignore_class = len(data.class_names), data.ignore_class
    greys = {round(0.299 * red + 0.587 * green + 0.114 * blue) for red, green, blue in data.palette}
    if len(ids) <= 2 and ids[-1] in (127, 128, 254, 255):
        return (
            f" It seems to be black and white: pass label_map={{{ids[-1]}: 1}} "
            f"(--label-map {ids[-1]}:1)."
        )
    if set(ids) <= greys:
        return (
            " They are the grey levels of the class colours: the mask was converted from colours "
            "to grey. Save its ids, or the unmodified palette image."
        )
    if wrong == [classes]:
        return (
            f" If the ids count from 1 (0: unlabelled), pass label_map={{0: {ignore_class}}} | "
            f"{{i: i - 1 for i in range(1, {classes + 1})}} (--label-map "
            f"0:{ignore_class},1-{classes}:0-{classes - 1}). If {classes} is a class, name it."
        )
    if len(wrong) > _MANY_IDS:
        return (
            " So many different values are not ids: the mask was resized with interpolation, or "
            "saved with lossy compression, or is a photo. Resize masks by nearest neighbour."
        )
    return (
        f" Correct the mask or name more classes; label_map={{{wrong[0]}: {ignore_class}}} "
        f"(--label-map {wrong[0]}:{ignore_class}) ignores {wrong[0]}."
    )
