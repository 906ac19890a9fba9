"""Reads a folder of images and masks in any of the common layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_deeplab._checks import suggestion
from keras_deeplab.data.images import IMAGE_SUFFIXES
from keras_deeplab.data.readers.classes import classes_of_masks, read_classes
from keras_deeplab.data.readers.files import (
    examples_of,
    files_by_stem,
    is_mask_name,
    mask_of,
    read_names,
    stem,
)
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.tables.datasets import Palette

_IMAGES = ("images", "image", "imgs", "img", "JPEGImages", "photos", "inputs")
_MASKS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt",
    "SegmentationClass", "segmentation", "segmentations", "ground_truth", "targets",
)  # fmt: skip
_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "validation", "valid", "dev"),
    "test": ("test", "testing"),
}
_LISTS = ("", "ImageSets/Segmentation", "ImageSets", "splits", "lists")
LAYOUTS = """\
  DIR/images, DIR/masks (or labels, annotations, ...; same names, or NAME_mask, NAME_label, ...)
  DIR/train/images, DIR/train/masks, and so for val and test
  DIR/images/train, DIR/masks/train, and so for val and test
  DIR/train, DIR/trainannot, and so for val and test
  DIR/NAME.jpg beside DIR/NAME.png or DIR/NAME_mask.png; or so in DIR/train, DIR/val
  with DIR/train.txt or DIR/ImageSets/Segmentation/train.txt: the names of a split"""


class _Layout(NamedTuple):
    """Where the images and masks of a split lie; `names` is its list."""

    images: Path
    masks: Path
    names: Path | None = None


def read_folder(
    path: str | Path,
    split: str | None = None,
    *,
    class_names: Sequence[str] | None = None,
    ignore_class: int = 255,
    palette: Palette | None = None,
    label_map: Mapping[int, int] | None = None,
    allow_missing: bool = False,
) -> SegmentationFiles:
    """Reads a folder of images and masks.

    The layouts, of which the first that fits is taken::

        DIR/images, DIR/masks (or labels, annotations, ...; same names or NAME_mask, ...)
        DIR/train/images, DIR/train/masks, and so for val and test
        DIR/images/train, DIR/masks/train, and so for val and test
        DIR/train, DIR/trainannot, and so for val and test
        DIR/NAME.jpg beside DIR/NAME.png or DIR/NAME_mask.png; or so in DIR/train, DIR/val
        with DIR/train.txt or DIR/ImageSets/Segmentation/train.txt: the names of a split

    Class names, where not given, are the lines of DIR/classes.txt, labels.txt or
    class_names.txt, the list (or the values by id) in DIR/class_names.json or classes.json, or
    names and colours of DIR/labelmap.txt with lines NAME:RED,GREEN,BLUE, as CVAT writes it. Else
    all masks are read, and classes are called "class N" up to the highest id.

    Args:
        path: DIR.
        split: "train", "val", "test" or another name of a folder or list; with `None` the folder
            must not be divided.
        class_names: Names by label id.
        ignore_class: Label of pixels to leave out.
        palette: RGB colours by label id, also of masks that are stored as colours.
        label_map: Label id by pixel value of the masks; values that it lacks stay.
        allow_missing: Whether images without a mask are left out instead of an error.

    Raises:
        FileNotFoundError: If there is no such folder or split.
        ValueError: If the layout is none of these, or an image has no mask.

    Example:

    >>> data = read_folder("pets", "train")  # doctest: +SKIP
    >>> data.class_names  # doctest: +SKIP
    ('background', 'cat', 'dog')
    """
    path = Path(path).expanduser()
    layout = _layout(path, split)
    examples = _examples(layout, path, allow_missing)
    if class_names is None:
        class_names, file_palette = read_classes(path)
        palette = palette or file_palette
    if class_names is None:
        class_names = classes_of_masks(
            _all_masks(path), label_map=label_map, palette=palette, ignore_class=ignore_class
        )
    return SegmentationFiles(
        examples,
        class_names=class_names,
        ignore_class=ignore_class,
        palette=palette,
        label_map=label_map,
    )


def folder_splits(path: str | Path) -> tuple[str, ...]:
    """Returns the splits that `read_folder` finds in a folder, e.g. ("train", "val")."""
    path = Path(path).expanduser()
    return tuple(split for split in _SPLITS if _split_layout(path, split) is not None)


def unpaired(path: str | Path, split: str | None = None) -> tuple[list[Path], list[Path]]:
    """Returns the images without a mask and the masks without an image of a folder or split.

    What a split list does not name does not count.
    """
    layout = _layout(Path(path).expanduser(), split)
    if layout.names:
        return [], []
    images, masks = _files(layout)
    partners = {name: mask_of(name, masks) for name in images}
    alone = sorted(set(masks.values()) - set(partners.values()))
    return [images[name] for name, mask in partners.items() if mask is None], alone


def _all_masks(path: Path) -> list[Path]:
    """Returns the masks of all splits."""
    masks: set[Path] = set()
    for layout in [_split_layout(path, split) for split in _SPLITS] + [_whole_layout(path)]:
        if layout is not None:
            images, found = _files(layout)
            masks |= {mask for name in images if (mask := mask_of(name, found))}
    return sorted(masks)


def _layout(path: Path, split: str | None) -> _Layout:
    if not path.is_dir():
        raise FileNotFoundError(
            f"The data must be a folder. Received: {str(path)!r}, which "
            f"{'is a file' if path.exists() else 'does not exist'}."
        )
    splits = folder_splits(path)
    if split is None:
        layout = _whole_layout(path)
        if layout is None and splits:
            raise ValueError(
                f"split must be one of {', '.join(map(repr, splits))}. Received: split=None for "
                f"the divided folder {str(path)!r}."
            )
    else:
        layout = _split_layout(path, split)
        if layout is None and (splits or _whole_layout(path)):
            raise FileNotFoundError(
                f"The split must be in the folder. Received: split={split!r}, and {str(path)!r} "
                + (f"has {', '.join(splits)}." if splits else "is not divided.")
                + (
                    suggestion(split, splits)
                    or f" Write the names of its images to {path / f'{split}.txt'}, one a line."
                )
            )
    if layout is None:
        raise ValueError(
            f"The folder must hold images and masks. Received: {str(path)!r} with "
            f"{_contents(path)}. The layouts understood:\n{LAYOUTS}"
        )
    return layout


def _whole_layout(path: Path) -> _Layout | None:
    images, masks = _child(path, _IMAGES), _child(path, _MASKS)
    if images and masks and (_has_images(images) or not _folders(images)):
        return _Layout(images, masks)
    return _Layout(path, path) if _has_pairs(path) else None


def _split_layout(path: Path, split: str) -> _Layout | None:
    aliases = _SPLITS.get(split, (split,))
    images, masks = _child(path, _IMAGES), _child(path, _MASKS)
    for alias in aliases:
        folder = path / alias
        own_images, own_masks = _child(folder, _IMAGES), _child(folder, _MASKS)
        if own_images and own_masks:
            return _Layout(own_images, own_masks)
        if images and masks and (images / alias).is_dir() and (masks / alias).is_dir():
            return _Layout(images / alias, masks / alias)
        beside = _child(path, [alias + joint + name for name in _MASKS for joint in ("", "_", "-")])
        if folder.is_dir() and beside:
            return _Layout(folder, beside)
        if _has_pairs(folder):
            return _Layout(folder, folder)
        whole = _whole_layout(path)
        for place in _LISTS:
            if whole and (path / place / f"{alias}.txt").is_file():
                return whole._replace(names=path / place / f"{alias}.txt")
    return None


def _examples(layout: _Layout, path: Path, allow_missing: bool) -> list[Example]:
    images, masks = _files(layout)
    for folder, found in ((layout.images, images), (layout.masks, masks)):
        if not found:
            raise ValueError(
                f"The folder must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}). Received: "
                f"{str(folder)!r} without any."
            )
    if layout.names:
        return examples_of(read_names(layout.names), images, masks, layout.names)
    examples = [
        Example(name, image, mask)
        for name, image in images.items()
        if (mask := mask_of(name, masks)) is not None
    ]
    missing = [str(images[name]) for name in images.keys() - {one.name for one in examples}]
    if not examples or (missing and not allow_missing):
        raise ValueError(
            f"Every image must have a mask of its name (NAME.png, NAME_mask.png, ...). Received: "
            f"{len(missing)} of {len(images)} in {str(path)!r} without, such as {min(missing)!r}; "
            f"masks are called like {min(masks)!r}."
            + (" allow_missing=True leaves them out." if examples else "")
        )
    return examples


def _files(layout: _Layout) -> tuple[dict[str, Path], dict[str, Path]]:
    """Returns images and masks by stem."""
    if layout.images == layout.masks:
        return _pairs(layout.images)
    return files_by_stem(layout.images), files_by_stem(layout.masks)


def _pairs(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Divides a folder of images and masks side by side."""
    paths = [
        path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]
    stems = {path.stem for path in paths}
    marked = {path for path in paths if is_mask_name(path.stem) in stems}
    rest = [path for path in paths if path not in marked]
    # NAME.jpg beside NAME.png: what keeps its pixels is the mask.
    photos = {path.stem for path in rest if path.suffix.lower() in (".jpg", ".jpeg")}
    twins = {path for path in rest if path.stem in photos and path.suffix.lower() == ".png"}
    images = {stem(path.name): path for path in rest if path not in twins}
    return images, {path.stem: path for path in sorted(marked | twins)}


def _has_pairs(folder: Path) -> bool:
    images, masks = _pairs(folder)
    return bool(images and masks)


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def _child(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _contents(path: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more if names else "nothing in it"
