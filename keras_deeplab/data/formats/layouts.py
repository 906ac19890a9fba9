"""Detects the layout of a folder of images and masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from keras_deeplab._validation import listed, suggestion
from keras_deeplab.data.formats.pairing import (
    entries,
    files_by_stem,
    image_bases,
    is_mask_name,
    stem,
)
from keras_deeplab.data.images import IMAGE_SUFFIXES
from keras_deeplab.data.split_names import SPLITS

# In lower case: folders are found in any case.
_IMAGES = (
    "images", "image", "imgs", "img", "jpegimages", "photos", "inputs", "img_dir", "rgb",
    "camerargb", "original",
)  # fmt: skip
_MASKS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt",
    "segmentationclass", "segmentationclasspng", "segmentation", "segmentations", "ground_truth",
    "targets", "trimaps", "ann_dir", "ann", "cameraseg",
)  # fmt: skip
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_LISTS = ("", "ImageSets/Segmentation", "ImageSets", "splits", "lists")
LAYOUTS = """\
  DIR/images, DIR/masks (or labels, annotations, ...; same names, or NAME_mask, NAME_label, ...)
  DIR/train/images, DIR/train/masks, and the same for val and test
  DIR/images/train, DIR/masks/train, and the same for val and test
  DIR/train, DIR/trainannot, and the same for val and test
  DIR/NAME.jpg next to DIR/NAME.png or DIR/NAME_mask.png; or in DIR/train, DIR/val
  with DIR/train.txt or DIR/ImageSets/Segmentation/train.txt: the names of a split
  subfolders of the images, with masks in subfolders of the same names"""


class Layout(NamedTuple):
    """Folders of the images and masks of a split; `names` is its split list."""

    images: Path
    masks: Path
    names: Path | None = None


def folder_splits(path: str | Path) -> tuple[str, ...]:
    """Returns the splits that `read_folder` finds in a folder, e.g. ("train", "val")."""
    path = Path(path).expanduser()
    return tuple(split for split in SPLITS if _split_layout(path, split) is not None)


def all_layouts(path: Path) -> list[Layout]:
    """Returns the layouts of the usual splits of a folder, and of the whole folder."""
    found = [*(_split_layout(path, split) for split in SPLITS), _whole_layout(path)]
    return [layout for layout in found if layout is not None]


def find_layout(path: Path, split: str | None) -> Layout:
    """Returns the layout of a split; the error says what is wrong with the folder or split."""
    if not path.is_dir():
        raise FileNotFoundError(
            f"The data must be a folder. Received: {str(path)!r}, which "
            f"{'is a file' if path.exists() else 'does not exist'}."
        )
    layout = _whole_layout(path) if split is None else _split_layout(path, split)
    if layout is not None:
        return layout
    splits = folder_splits(path)
    if split is None and splits:
        raise ValueError(
            f"split must be one of {', '.join(map(repr, splits))}. Received: split=None for "
            f"{str(path)!r}, which has splits."
        )
    if split is not None and (splits or _whole_layout(path)):
        has = f"has {', '.join(splits)}." if splits else "is not divided."
        listing = f" Write the names of its images to {path / f'{split}.txt'}, one a line."
        raise FileNotFoundError(
            f"The split must be in the folder. Received: split={split!r}, and {str(path)!r} {has}"
            f"{suggestion(split, splits) or listing}"
        )
    inside = entries(path)
    words = ""
    if any(name.lower().endswith((".json", ".xml")) for name in inside.files):
        words = (
            "\nJSON and XML files are read, unless dataset='folder', if they are annotations of "
            "COCO, LabelMe, CVAT for images 1.1, Label Studio or Supervisely."
        )
    contents = listed(sorted([*inside.files, *(f"{name}/" for name in inside.folders)]))
    raise ValueError(
        f"The folder must hold images and masks. Received: {str(path)!r} with "
        f"{contents or 'nothing in it'}. The supported layouts:\n{LAYOUTS}{words}"
    )


def _whole_layout(path: Path) -> Layout | None:
    images, masks = _child(path, _IMAGES), _child(path, _MASKS)
    if images and masks and not (_is_divided(images) and not _has_images(images)):
        return Layout(images, _with_images(masks))
    return Layout(path, path) if _has_pairs(path) else None


def _split_layout(path: Path, split: str) -> Layout | None:
    aliases = SPLITS.get(split, (split,))
    images, masks = _child(path, _IMAGES), _child(path, _MASKS)
    for alias in aliases:
        folder = _child(path, (alias,)) or path / alias
        own_images, own_masks = _child(folder, _IMAGES), _child(folder, _MASKS)
        if own_images and own_masks:
            return Layout(own_images, _with_images(own_masks))
        if images and masks:
            inner_images, inner_masks = _child(images, (alias,)), _child(masks, (alias,))
            if inner_images and inner_masks:
                return Layout(inner_images, inner_masks)
        beside = _child(path, [alias + joint + name for name in _MASKS for joint in ("", "_", "-")])
        if folder.is_dir() and beside:
            return Layout(folder, beside)
        if _has_pairs(folder):
            return Layout(folder, folder)
        for place in _LISTS:
            names = path / place / f"{alias}.txt"
            if names.is_file() and (whole := _whole_layout(path)):
                return whole._replace(names=names)
    return None


def layout_files(layout: Layout) -> tuple[dict[str, Path], dict[str, Path]]:
    """Returns images and masks by stem; those in subfolders by folder and stem."""
    if layout.images == layout.masks:
        return _pairs(layout.images)
    deep = not _has_images(layout.images)
    return files_by_stem(layout.images, deep=deep), files_by_stem(layout.masks, deep=deep)


def _pairs(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Separates the images and masks in one folder."""
    stems = {name: stem(name) for name in entries(folder).files if _is_image(name)}
    named = {name: base for name in stems if (base := is_mask_name(stems[name]))}
    bases = {base for own in stems.values() for base in image_bases(own)} if named else set()
    masks = {name for name, base in named.items() if base in bases}
    masks |= _twins([name for name in stems if name not in masks])
    images = {own: folder / name for name, own in stems.items() if name not in masks}
    return images, {stems[name]: folder / name for name in sorted(masks)}


def _twins(names: Sequence[str]) -> set[str]:
    """Returns the mask of each two files of one stem: the PNG file, or else the one not a JPEG."""
    found = set()
    for _, group in groupby(sorted(names, key=stem), key=stem):
        two = list(group)
        png = [name for name in two if name.lower().endswith(".png")]
        others = [name for name in two if not name.lower().endswith(_JPEG)]
        if len(two) == 2 and 1 in (len(png), len(others)):
            found.add((png if len(png) == 1 else others)[0])
    return found


def _has_pairs(folder: Path) -> bool:
    images, masks = _pairs(folder)
    return bool(images and masks)


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _has_images(folder: Path) -> bool:
    return any(map(_is_image, entries(folder).files))


def _is_divided(folder: Path) -> bool:
    splits = {alias for aliases in SPLITS.values() for alias in aliases}
    return any(name.lower() in splits for name in entries(folder).folders)


def _with_images(folder: Path) -> Path:
    """Returns the folder, or its one subfolder with images, such as Oxford pets' trimaps."""
    if _has_images(folder):
        return folder
    known = (folder / name for name in entries(folder).folders if name.lower() in _MASKS)
    return next((path for path in known if _has_images(path)), folder)


def _child(folder: Path, names: Sequence[str]) -> Path | None:
    """Returns the first folder of the names, in any case; one with files or folders if possible."""
    if not folder.is_dir():
        return None
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        by_name = {name.lower(): folder / name for name in reversed(entries(folder).folders)}
        found = [by_name[name.lower()] for name in names if name.lower() in by_name]
    usable = (path for path in found if _has_images(path) or entries(path).folders)
    return next(usable, found[0] if found else None)
