"""`read_dataset`: reads a dataset from a folder, in its own layout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from keras_deeplab._validation import check_choice
from keras_deeplab.data.annotations.annotated_source import (
    FORMATS,
    annotated_splits,
    find_format,
    load_annotations,
    read_annotated,
)
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.formats import published
from keras_deeplab.data.formats.classes import known_classes, names_classes
from keras_deeplab.data.formats.folder import has_pairs, numbering_of, read_folder, unread
from keras_deeplab.data.formats.layouts import all_layouts, folder_splits
from keras_deeplab.data.formats.pairing import find_folder, listed_once
from keras_deeplab.data.images import passed_over_words
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.presets.datasets import DATASETS


class Reader(NamedTuple):
    """The reader function of a dataset, and its usual splits or the function that finds them."""

    read: Callable[..., SegmentationFiles]
    splits: tuple[str, ...] | Callable[[str | Path], tuple[str, ...]]


class Found(NamedTuple):
    """A recognised dataset or format, and what it was recognised by."""

    name: str
    why: str


READERS: dict[str, Reader] = {
    "camvid": Reader(published.camvid, folder_splits),
    "cityscapes": Reader(published.cityscapes, ("train", "val")),
    "oxford_pets": Reader(published.pets, published.pets_splits),
    "pascal_context": Reader(published.pascal_context, ("train", "val")),
    "person_part": Reader(published.person_part, ("train", "val")),
    "voc": Reader(published.voc2012, ("train", "val")),
}
# The names of CamVid's four sequences, which identify it.
_CAMVID_NAMES = ("0001TP_*", "0006R0_*", "0016E5_*", "Seq05VD_*")
_logger = logging.getLogger("keras_deeplab")

# Formats that count although there are masks: nothing else has their files.
_CERTAIN = ("yolo", "supervisely", "coco_panoptic")
_TITLES = {"oxford_pets": "Oxford pets' trimaps", "roboflow": "Roboflow's semantic masks"}


def read_dataset(
    path: str | Path, split: str | None = None, *, dataset: str | None = None, **options: Any
) -> SegmentationFiles:
    """Reads a dataset from a folder.

    Args:
        path: The folder.
        split: "train", "val", ... None reads a folder without splits, or "train" of a known
            dataset.
        dataset: A name in `keras_deeplab.presets.datasets`; "folder" for `read_folder`; or the
            format of a labelling tool: "coco", "coco_panoptic", "cvat", "label_studio", "labelme",
            "oxford_pets", "roboflow", "supervisely", "yolo". If a known dataset is stored in a
            layout of `read_folder`, it is read with its class names and colours; ADE20K's published
            ids (1-150, 0 ignored), COCO-Stuff 10k's (1-182, 0 ignored) and Cityscapes' labelIds
            become those of the classes. None detects datasets and formats; `read_as` of the result
            says what was found.
        options: Arguments of the dataset's reader, such as `classes=59` or `class_names=...`. For
            annotations: `class_names`, `ignore_class`, `palette`, `label_map`;
            `unlabelled="ignore"` ignores the pixels without annotation, which are background by
            default; `other_classes="unlabelled"` leaves out classes that `class_names` lacks.

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
    path: str | Path, splits: Iterable[str | None], *, dataset: str | None = None, **options: Any
) -> list[SegmentationFiles]:
    """Reads several splits of a dataset, like `read_dataset`.

    If a plain folder does not name its classes, its masks are searched only once.
    """
    found = _resolve(path, dataset, options)
    known = READERS.get(found.name)
    if found.name in FORMATS:
        _check_options(path, found.name, read_annotated, options)
        annotations = load_annotations(path, found.name)
        sources = read_annotated(path, splits, annotations=annotations, **options)
    elif known:
        _check_options(path, found.name, known.read, options)
        first = "train" if "train" in dataset_splits(path, dataset=found.name) else None
        sources = [known.read(path, split or first, **options) for split in splits]
    else:
        _check_options(path, "A folder of images and masks", read_folder, options)
        sources = _read_folders(path, splits, dataset, options)
    row = DATASETS.get(found.name)
    title = _TITLES.get(found.name) or (row.title if row else "")
    for source in sources:
        source.read_as = f"{title or source.read_as} ({found.why})".removesuffix(" ()")
    if sources:
        names = ", ".join(sources[0].class_names)
        _logger.info("%s: read as %s, classes: %s", path, sources[0].read_as, names)
    return sources


def _check_options(
    path: str | Path, reader: str, read: Callable[..., Any], options: Mapping[str, Any]
) -> None:
    own = ("path", "root", "split", "splits", "annotations")
    takes = [name for name in signature(read).parameters if name not in own]
    for name in options:
        if name not in takes:
            remedy = "Pass dataset='folder' (--dataset folder) to read it as a plain folder."
            if name in ("unlabelled", "other_classes"):
                remedy = f"{name} is for annotations, such as dataset='coco' (--dataset coco)."
            raise TypeError(
                f"{reader} takes {', '.join(takes) or 'no options'}. Received: "
                f"{name}={options[name]!r} for {str(path)!r}. {remedy}"
            )


def _read_folders(
    path: str | Path, splits: Iterable[str | None], dataset: str | None, options: dict[str, Any]
) -> list[SegmentationFiles]:
    if dataset in DATASETS:
        options = known_classes(dataset) | options
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


def dataset_splits(path: str | Path, *, dataset: str | None = None) -> tuple[str, ...]:
    """Returns the splits of a dataset in a folder; empty for a folder without splits."""
    name = _resolve(path, dataset).name
    if name in FORMATS:
        return annotated_splits(load_annotations(path, name))
    splits = READERS[name].splits if name in READERS else folder_splits
    return splits(path) if callable(splits) else splits


def is_plain(path: str | Path, dataset: str | None = None, **options: Any) -> bool:
    """Returns whether a folder is read by `read_folder`, with the options of the reader."""
    name = _resolve(path, dataset, options).name
    return name not in READERS and name not in FORMATS


def format_of(path: str | Path, dataset: str | None = None) -> str | None:
    """Returns the name of the format of a folder with annotations, else None."""
    name = _resolve(path, dataset).name
    return name if name in FORMATS else None


def _resolve(
    path: str | Path, dataset: str | None = None, options: Mapping[str, Any] | None = None
) -> Found:
    """Returns the reader or format to use, and why; the name "folder" for `read_folder`."""
    check_choice(
        "dataset", dataset, (None, "folder", *sorted({"roboflow", *FORMATS, *READERS, *DATASETS}))
    )
    if dataset in FORMATS or dataset in ("folder", "roboflow", "oxford_pets"):
        return Found(str(dataset), "")
    plain, found = Found("folder", ""), recognise(path)
    if dataset is None:
        # Classes of one's own make a folder with CamVid's file names one's own.
        return plain if found.name == "camvid" and options else found
    if dataset not in READERS:
        return plain
    is_folder = found.name != dataset and all_layouts(Path(path).expanduser())
    if is_folder and find_folder(path, "ImageSets", depth=2) is None:
        return plain
    return Found(dataset, "")


@listed_once()
def recognise(path: str | Path) -> Found:
    """Returns the dataset or format of a folder, and what it was recognised by, else "folder"."""
    path = Path(path).expanduser()
    if find_folder(path, "gtFine", depth=1) and find_folder(path, "leftImg8bit", depth=1):
        return Found("cityscapes", "gtFine and leftImg8bit")
    for name, folders in (
        ("pascal_context", ("SegmentationClassContext", "59_context_labels")),
        ("person_part", ("pascal_person_part_gt", "Annotations_Part")),
        ("oxford_pets", ("annotations/trimaps", "trimaps")),
    ):
        if folder := find_folder(path, *folders, depth=2):
            return Found(name, folder.name)
    voc = find_folder(path, "SegmentationClass", depth=2)
    if voc and voc.parent.name == "VOC2012" and not (voc.parent / "labelmap.txt").is_file():
        return Found("voc", "VOC2012/SegmentationClass")
    if path.is_dir():
        tree = FileTree(path)
        if table := tree.first_holding(".csv", rb"(?i)\A\W*pixel value\s*,"):
            return Found("roboflow", table)
        annotated = find_format(tree)
        if annotated and (annotated[0] in _CERTAIN or not has_pairs(path)):
            return Found(*annotated)
    if not names_classes(path):
        for place in ("train", "train/images"):
            if like := next((n for n in _CAMVID_NAMES if any((path / place).glob(n))), None):
                return Found("camvid", f"file names {like}; --dataset folder reads it as a folder")
    return Found("folder", "")
