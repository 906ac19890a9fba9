"""Reads Cityscapes, CamVid and the Oxford-IIIT pets."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab._validation import check_choice
from keras_deeplab.data.formats.classes import known_classes
from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.pairing import (
    examples_of,
    files_by_stem,
    find_folder,
    need_folder,
    read_names,
)
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.presets.label_maps import CITYSCAPES_LABEL_IDS

_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"
_PETS = ("pet", "background", "border")
_PETS_LABELS = {1: 0, 2: 1, 3: 2}


def cityscapes(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads Cityscapes' fine annotations in its 19 classes.

    Args:
        root: The folder with leftImg8bit and gtFine.
        split: "train" (2,975), "val" (500) or "test" (1,525; every pixel of its published masks is
            ignored).
    """
    check_choice("split", split, ("train", "val", "test"))
    images = need_folder(root, f"leftImg8bit/{split}", what="Cityscapes")
    masks = images.parents[1] / "gtFine" / split
    examples = [
        Example(
            image.name.removesuffix(_IMAGE),
            image,
            masks / image.parent.name / image.name.replace(_IMAGE, _MASK),
        )
        for image in sorted(images.glob(f"*/*{_IMAGE}"))
    ]
    if not examples:
        raise FileNotFoundError(
            f"The folder must hold CITY/NAME{_IMAGE}. Received: {str(images)!r} without any."
        )
    missing = [str(example.mask) for example in examples if not example.mask.exists()]
    if missing:
        raise FileNotFoundError(
            f"Every image must have a mask. Received: {len(missing)} of {len(examples)} without, "
            f"such as {missing[0]!r}. gtFine_trainvaltest.zip holds them."
        )
    return SegmentationFiles(
        examples, label_map=CITYSCAPES_LABEL_IDS, **known_classes("cityscapes")
    )


def camvid(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads CamVid in the 11 classes of the SegNet tutorial.

    Args:
        root: A folder with train, trainannot, val, ... as in the tutorial, or with train/images,
            train/labels, ...
        split: "train" (367), "val" (101) or "test" (233).
    """
    check_choice("split", split, ("train", "val", "test"))
    return read_folder(root, split, **known_classes("camvid"))


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
