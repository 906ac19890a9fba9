"""Reads Cityscapes and CamVid."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab._validation import check_choice
from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.pairing import need_folder
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.label_maps import CITYSCAPES_LABEL_IDS

_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"


def cityscapes(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads Cityscapes' fine annotations in its 19 classes.

    Args:
        root: The folder with leftImg8bit and gtFine.
        split: "train" (2,975), "val" (500) or "test" (1,525; every pixel of its published masks is
            ignored).

    Raises:
        FileNotFoundError: If a folder or mask is missing.
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
    row = DATASETS["cityscapes"]
    return SegmentationFiles(
        examples,
        class_names=row.class_names,
        ignore_class=row.ignore_class,
        palette=row.palette,
        label_map=CITYSCAPES_LABEL_IDS,
    )


def camvid(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads CamVid in the 11 classes of the SegNet tutorial.

    Args:
        root: A folder with train, trainannot, val, ... as in the tutorial, or with train/images,
            train/labels, ...
        split: "train" (367), "val" (101) or "test" (233).

    Raises:
        FileNotFoundError: If the folder or split does not exist.
    """
    check_choice("split", split, ("train", "val", "test"))
    row = DATASETS["camvid"]
    return read_folder(
        root,
        split,
        class_names=row.class_names,
        ignore_class=row.ignore_class,
        palette=row.palette,
    )
