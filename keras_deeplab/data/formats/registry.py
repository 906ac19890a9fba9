"""`read_dataset`: reads a dataset from a folder, in its own layout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from keras_deeplab._validation import check_choice
from keras_deeplab.data.formats.folder import all_masks, read_folder, unread
from keras_deeplab.data.formats.layouts import all_layouts, folder_splits
from keras_deeplab.data.formats.numbering import Numbering, published_numbering
from keras_deeplab.data.formats.pairing import find_folder
from keras_deeplab.data.formats.pascal import pascal_context, person_part, voc2012
from keras_deeplab.data.formats.street import camvid, cityscapes
from keras_deeplab.data.images import passed_over_words
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.presets.datasets import DATASETS


class Reader(NamedTuple):
    """The reader function of a dataset and the dataset's usual splits."""

    read: Callable[..., SegmentationFiles]
    splits: tuple[str, ...]


READERS: dict[str, Reader] = {
    "camvid": Reader(camvid, ("train", "val", "test")),
    "cityscapes": Reader(cityscapes, ("train", "val")),
    "pascal_context": Reader(pascal_context, ("train", "val")),
    "person_part": Reader(person_part, ("train", "val")),
    "voc": Reader(voc2012, ("train", "val")),
}
# The names of CamVid's four sequences, which identify it.
_CAMVID_NAMES = ("0001TP_*", "0006R0_*", "0016E5_*", "Seq05VD_*")
_logger = logging.getLogger("keras_deeplab")


def read_dataset(
    path: str | Path, split: str | None = None, *, dataset: str | None = None, **options: Any
) -> SegmentationFiles:
    """Reads a dataset from a folder.

    Args:
        path: The folder.
        split: "train", "val", ... None reads a folder without splits, or "train" of a known
            dataset.
        dataset: A name in `keras_deeplab.presets.datasets`, or "folder" for `read_folder`. If a
            known dataset is stored in a layout of `read_folder`, it is read with its class names
            and colours; ADE20K's published ids (1-150, 0 ignored), COCO-Stuff 10k's (1-182, 0
            ignored) and Cityscapes' labelIds become those of the classes. None detects known
            datasets by their layout.
        options: Arguments of the dataset's reader, such as `classes=59` or `class_names=...`.

    Raises:
        FileNotFoundError: If the folder or split is missing.
        TypeError: If the dataset's reader has no such option.
        ValueError: If the layout is not supported.

    Example:

    >>> data = read_dataset("camvid", "val", dataset="camvid")  # doctest: +SKIP
    >>> data[0]["labels"].shape  # doctest: +SKIP
    (360, 480)
    """
    return read_splits(path, [split], dataset=dataset, **options)[0]


def read_splits(
    path: str | Path,
    splits: Iterable[str | None],
    *,
    dataset: str | None = None,
    **options: Any,
) -> list[SegmentationFiles]:
    """Reads several splits of a dataset, like `read_dataset`.

    If a plain folder does not name its classes, its masks are searched only once.

    Args:
        path: The folder.
        splits: "train", "val", ...; None for a folder without splits.
        dataset: Name of a dataset, "folder", or None to detect it.
        options: Arguments of the dataset's reader.
    """
    own = own_reader(path, dataset)
    if own is not None:
        takes = [name for name in signature(own.read).parameters if name not in ("root", "split")]
        for name in options:
            if name not in takes:
                raise TypeError(
                    f"{own.read.__name__} takes {', '.join(takes) or 'no options'}. Received: "
                    f"{name}={options[name]!r} for {str(path)!r}. Pass dataset='folder' to read it "
                    f"as a plain folder."
                )
        return [own.read(path, split or "train", **options) for split in splits]
    row = DATASETS.get(dataset or "")
    if row is not None:
        facts: dict[str, Any] = dict(
            class_names=row.class_names, ignore_class=row.ignore_class, palette=row.palette
        )
        options = facts | options
        if "label_map" not in options and (numbering := numbering_of(path, dataset)):
            _logger.warning(numbering.message)
            options["label_map"] = numbering.label_map
    sources = []
    for split in splits:
        sources.append(read_folder(path, split, **options))
        if words := passed_over_words(unread(path, split)):
            _logger.warning("%s:%s", path, words)
        options |= {"class_names": sources[0].class_names, "palette": sources[0].palette}
    return sources


def numbering_of(path: str | Path, dataset: str | None) -> Numbering | None:
    """Returns how a plain folder numbers the classes of a dataset; None for their ids."""
    return published_numbering(dataset, all_masks(Path(path).expanduser()))


def dataset_splits(path: str | Path, *, dataset: str | None = None) -> tuple[str, ...]:
    """Returns the splits of a dataset in a folder; empty for a folder without splits."""
    own = own_reader(path, dataset)
    return folder_splits(path) if own is None or own.read is camvid else own.splits


def own_reader(path: str | Path, dataset: str | None = None) -> Reader | None:
    """Returns the reader of a dataset in its own layout, or None for a plain folder.

    Args:
        path: The folder.
        dataset: Name of a dataset, "folder", or None to detect it.
    """
    found = recognise(path)
    dataset = dataset or found
    check_choice("dataset", dataset, ("folder", *DATASETS))
    if dataset not in READERS:
        return None
    plain = found != dataset and all_layouts(Path(path).expanduser())
    return None if plain and find_folder(path, "ImageSets", depth=2) is None else READERS[dataset]


def recognise(path: str | Path) -> str:
    """Returns the name of the dataset whose layout a folder has, else "folder"."""
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
