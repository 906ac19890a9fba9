"""The photos to learn from: which are trained on, which are held out, which are left alone."""

from __future__ import annotations

import csv
import hashlib
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from keras_deeplab.data.checks.duplicates import find_duplicates
from keras_deeplab.data.checks.inspection import Inspection, thumbnail
from keras_deeplab.data.images import folder_images, read_image

# Every tenth photo measures the training and is never trained on.
_HELD_OUT = 10


@dataclass(frozen=True)
class Photo:
    """One photo.

    Attributes:
        image: Its file.
        mask: Its mask, or None.
        split: "train" or "held_out".
        present: Classes that it is known to show.
        absent: Classes that it is known not to show.
    """

    image: str
    mask: str | None
    split: str
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def read_photos(folders: list[pathlib.Path], kept_out: list[pathlib.Path]) -> list[Photo]:
    """Lists the photos of all folders.

    Args:
        folders: Each holds images/ and perhaps masks/ (same stems) and index.csv with the column
            "id" (the stem) and any of "voc_split", "present" and "absent" (class names between
            spaces) and "exclude" (not empty: left out).
        kept_out: Folders of photos that later measure the network.

    Returns:
        Photos without those of VOC's val split, without duplicates of these or of photos that are
        kept out, and, for training, without duplicates of photos that are held out.
    """
    photos: list[Photo] = []
    seen = [("kept out", path) for folder in kept_out for path in folder_images(folder)]
    for folder in folders:
        index = folder / "index.csv"
        with index.open(newline="") if index.exists() else open(os.devnull) as file:
            rows = {row["id"]: row for row in csv.DictReader(file)}
        for image in folder_images(folder / "images"):
            row = rows.get(image.stem, {})
            if row.get("voc_split") == "val":
                seen.append(("val", image))
            elif not row.get("exclude"):
                mask = folder / "masks" / f"{image.stem}.png"
                photos.append(
                    Photo(
                        str(image),
                        str(mask) if mask.exists() else None,
                        "train" if len(photos) % _HELD_OUT else "held_out",
                        tuple(row.get("present", "").split()),
                        tuple(row.get("absent", "").split()),
                    )
                )
    for split in ("held_out", "train"):
        seen += [(split, pathlib.Path(photo.image)) for photo in photos if photo.split == split]
    # A finding names the later of the two.
    duplicates = {finding.file for finding in find_duplicates(_inspected(seen))}
    return [photo for photo in photos if photo.image not in duplicates]


def _inspected(seen: list[tuple[str, pathlib.Path]]) -> list[Inspection]:
    def look(one: tuple[str, pathlib.Path]) -> Inspection:
        split, path = one
        image = read_image(path)
        digest = hashlib.sha256(path.read_bytes()).digest()
        size = (image.shape[0], image.shape[1])
        return Inspection(split, str(path), digest=digest, thumbnail=thumbnail(image), size=size)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(look, seen))
