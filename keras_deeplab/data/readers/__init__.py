"""Reads datasets from folders, each in its own layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from keras_deeplab._checks import check_choice
from keras_deeplab.data.readers.files import find_folder
from keras_deeplab.data.readers.folder import folder_splits, read_folder
from keras_deeplab.data.readers.pascal import pascal_context, person_part, voc2012
from keras_deeplab.data.readers.street import camvid, cityscapes
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.tables.datasets import DATASETS


class _Reader(NamedTuple):
    read: Callable[..., SegmentationFiles]
    splits: tuple[str, ...]


READERS: dict[str, _Reader] = {
    "camvid": _Reader(camvid, ("train", "val", "test")),
    "cityscapes": _Reader(cityscapes, ("train", "val")),
    "pascal_context": _Reader(pascal_context, ("train", "val")),
    "person_part": _Reader(person_part, ("train", "val")),
    "voc": _Reader(voc2012, ("train", "val")),
}
# CamVid's four sequences, whose names no other dataset has.
_CAMVID_NAMES = ("0001TP_*", "0006R0_*", "0016E5_*", "Seq05VD_*")


def read_dataset(
    path: str | Path, split: str | None = None, *, dataset: str | None = None, **options: Any
) -> SegmentationFiles:
    """Reads a dataset from a folder.

    Args:
        path: The folder.
        split: "train", "val" and so on. `None` reads a folder that is not divided, and "train" of
            a known dataset.
        dataset: "camvid", "cityscapes", "pascal_context", "person_part", "voc", or "folder" for
            `read_folder`. A known dataset that lies in a layout of `read_folder` instead of its
            own is read with its class names and colours. `None` recognises the known ones by
            their layout.
        options: Arguments of the dataset's reader, such as `classes=59` or `class_names=...`.

    Raises:
        FileNotFoundError: If the folder or split is missing.
        ValueError: If the layout is not understood.

    Example:

    >>> data = read_dataset("camvid", "val", dataset="camvid")  # doctest: +SKIP
    >>> data[0]["labels"].shape  # doctest: +SKIP
    (360, 480)
    """
    dataset = dataset or recognise(path)
    check_choice("dataset", dataset, ("folder", *READERS))
    if dataset == "folder":
        return read_folder(path, split, **options)
    try:
        return READERS[dataset].read(path, split or "train", **options)
    except FileNotFoundError:
        row = DATASETS[dataset]
        facts: dict[str, Any] = dict(
            class_names=row.class_names, ignore_class=row.ignore_class, palette=row.palette
        )
        try:
            return read_folder(path, split, **(facts | options))
        except (TypeError, ValueError, FileNotFoundError):
            # What lacks is a part of the dataset's own layout.
            pass
        raise


def dataset_splits(path: str | Path, *, dataset: str | None = None) -> tuple[str, ...]:
    """Returns the splits of a dataset in a folder; none where the folder is not divided."""
    dataset = dataset or recognise(path)
    check_choice("dataset", dataset, ("folder", *READERS))
    if dataset in ("folder", "camvid") or recognise(path) != dataset:
        return folder_splits(path)
    return READERS[dataset].splits


def recognise(path: str | Path) -> str:
    """Returns the name of the dataset whose layout a folder has, "folder" if of none."""
    path = Path(path).expanduser()
    if find_folder(path, "gtFine", depth=1) and find_folder(path, "leftImg8bit", depth=1):
        return "cityscapes"
    if find_folder(path, "SegmentationClassContext", "59_context_labels", depth=2):
        return "pascal_context"
    if find_folder(path, "pascal_person_part_gt", "Annotations_Part", depth=2):
        return "person_part"
    voc = find_folder(path, "SegmentationClass", depth=2)
    if voc and voc.parent.name == "VOC2012":
        return "voc"
    for folder in ("train", "train/images"):
        if any(next((path / folder).glob(name), None) for name in _CAMVID_NAMES):
            return "camvid"
    return "folder"


__all__ = [
    "READERS",
    "camvid",
    "cityscapes",
    "dataset_splits",
    "folder_splits",
    "pascal_context",
    "person_part",
    "read_dataset",
    "read_folder",
    "recognise",
    "voc2012",
]
