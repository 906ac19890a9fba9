"""Reads the trimaps of the Oxford-IIIT pets."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab._validation import check_choice
from keras_deeplab.data.formats.pairing import (
    examples_of,
    files_by_stem,
    find_folder,
    need_folder,
    read_names,
)
from keras_deeplab.data.sources import SegmentationFiles

_PETS = ("pet", "background", "border")
_PETS_LABELS = {1: 0, 2: 1, 3: 2}


def pets_splits(root: str | Path) -> tuple[str, ...]:
    """Returns the splits of `pets`: "train", and "test" if its list is there."""
    return ("train", "test") if _pets_list(root, "test.txt") else ("train",)


def _pets_list(root: str | Path, file: str) -> Path | None:
    return find_folder(root, f"annotations/{file}", file, depth=1)


def pets(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads the trimaps of the Oxford-IIIT pets: pet, background and border.

    Args:
        root: The folder with images and annotations/trimaps.
        split: "train" (the list trainval.txt, 3,680) or "test" (3,669). Without these lists, all
            images are "train".

    Raises:
        FileNotFoundError: If a folder or file is missing.
    """
    check_choice("split", split, ("train", "test"))
    images = files_by_stem(need_folder(root, "images", what="Oxford pets"))
    folder = need_folder(root, "annotations/trimaps", "trimaps", what="Oxford pets")
    masks = files_by_stem(folder, (".png",))
    file = "trainval.txt" if split == "train" else "test.txt"
    names = _pets_list(root, file)
    if names is not None:
        chosen = [name.split()[0] for name in read_names(names)]
    elif split == "train":
        names, chosen = folder, [name for name in images if name in masks]
    else:
        raise FileNotFoundError(f"The split list must exist. Received: no {file} in {str(root)!r}.")
    return SegmentationFiles(
        examples_of(chosen, images, masks, names), class_names=_PETS, label_map=_PETS_LABELS
    )
