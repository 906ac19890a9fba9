"""The photos to learn from: which are trained on, which are held out, which are left alone."""

from __future__ import annotations

import csv
import hashlib
import pathlib
from dataclasses import dataclass

from keras_deeplab.data.checks.duplicates import find_duplicates
from keras_deeplab.data.checks.inspection import Inspection, thumbnail
from keras_deeplab.data.images import folder_images, read_image

# Every tenth photo measures the training; it is never learned from.
_HELD_OUT = 10


@dataclass(frozen=True)
class Photo:
    """A photo, its mask where it has one, and "train" or "held_out"."""

    name: str
    image: pathlib.Path
    mask: pathlib.Path | None
    split: str


def read_photos(folder: pathlib.Path, kept_out: list[pathlib.Path]) -> list[Photo]:
    """Lists a folder of images/ and, for some of them, masks/.

    Args:
        folder: Holds images/, masks/ and perhaps index.csv with columns "id" and "voc_split".
        kept_out: Folders of photos that later measure the network.

    Returns:
        Photos by name, without those of the split "val", and without what looks like one of
        them, like one that is kept out, or, for training, like one that is held out.
    """
    index = folder / "index.csv"
    rows = csv.DictReader(index.read_text().splitlines()) if index.exists() else ()
    validation = {row["id"] for row in rows if row["voc_split"] == "val"}
    images = {path.stem: path for path in folder_images(folder / "images")}
    names = sorted(set(images) - validation)
    photos = []
    for number, name in enumerate(names):
        mask = folder / "masks" / f"{name}.png"
        split = "train" if number % _HELD_OUT else "held_out"
        photos.append(Photo(name, images[name], mask if mask.exists() else None, split))
    seen = [("val", images[name]) for name in sorted(validation)]
    seen += [("kept out", path) for other in kept_out for path in folder_images(other)]
    seen += [(kind, p.image) for kind in ("held_out", "train") for p in photos if p.split == kind]
    findings = find_duplicates([(split, str(path), _look(path)) for split, path in seen])
    # A finding names the later of the two.
    alike = {finding.file for finding in findings}
    return [photo for photo in photos if str(photo.image) not in alike]


def _look(path: pathlib.Path) -> Inspection:
    image = read_image(path)
    digest = hashlib.sha256(path.read_bytes()).digest()
    size = (image.shape[0], image.shape[1])
    return Inspection(digest=digest, thumbnail=thumbnail(image), size=size)
