"""Recognises how the ids of a known dataset are numbered in a plain folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets.label_maps import (
    ADE20K_LABELS,
    CITYSCAPES_LABEL_IDS,
    COCO_STUFF_10K_LABELS,
)

_SAMPLE = 20


class Numbering(NamedTuple):
    """How the files of a dataset number its classes.

    Attributes:
        label_map: Label id by value of the files.
        message: What was recognised, and how to read the files otherwise.
    """

    label_map: Mapping[int, int]
    message: str


def published_numbering(dataset: str | None, masks: Sequence[Path]) -> Numbering | None:
    """Returns the numbering of a dataset's files; None if they hold the ids of the classes.

    Twenty masks are read.

    Args:
        dataset: Name of the dataset.
        masks: The masks of all splits.
    """
    if dataset not in ("ade20k", "cityscapes", "coco_stuff") or not masks:
        return None
    chosen = np.linspace(0, len(masks) - 1, min(len(masks), _SAMPLE)).astype(int)
    ids = set().union(*(_ids(masks[index]) for index in chosen))
    label_map: Mapping[int, int] | None = None
    words = ""
    if dataset == "cityscapes" and _are_label_ids(ids, masks):
        label_map, words = CITYSCAPES_LABEL_IDS, "Cityscapes' labelIds"
    elif dataset == "coco_stuff" and 182 in ids:
        label_map, words = COCO_STUFF_10K_LABELS, "those of COCO-Stuff 10k, 1-182, with 0 ignored"
    # The published files hold no 255; conversions to 0-149 ignore by it.
    elif dataset == "ade20k" and (150 in ids or 255 not in ids):
        label_map, words = ADE20K_LABELS, "ADE20K's own, 1-150, with 0 ignored"
    if label_map is None:
        return None
    return Numbering(
        label_map,
        f"The ids of {str(masks[0].parent)!r} are read as {words}. If they are the ids of the "
        f"classes already, pass label_map={{255: 255}} (--label-map 255:255).",
    )


def _are_label_ids(ids: set[int], masks: Sequence[Path]) -> bool:
    if masks and masks[0].stem.endswith("labelIds"):
        return True
    if masks and masks[0].stem.lower().endswith(("trainids", "train_id")):
        return False
    classes = {label for label, index in CITYSCAPES_LABEL_IDS.items() if index != 255}
    void = set(CITYSCAPES_LABEL_IDS) - classes
    # Of the trainIds, no one is above 18, and the road, 0, is in all but a few masks.
    no_train_ids = ids <= set(CITYSCAPES_LABEL_IDS) and max(ids, default=0) > 18
    return no_train_ids or (bool(ids & classes) and 0 not in ids and ids <= classes | void)


def _ids(mask: Path) -> set[int]:
    try:
        return set(np.flatnonzero(np.bincount(read_mask(mask).ravel())).tolist())
    except (ValueError, OSError):
        return set()  # colours, or a damaged file: reading it later reports the error
