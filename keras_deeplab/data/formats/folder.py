"""Reads a folder of images and masks in any of the common layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from keras_deeplab.data.formats.classes import (
    Numbering,
    classes_of_masks,
    published_numbering,
    read_classes,
)
from keras_deeplab.data.formats.layouts import Layout, all_layouts, find_layout, layout_files
from keras_deeplab.data.formats.pairing import examples_of, mask_of, read_names
from keras_deeplab.data.images import no_images, passed_over
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.presets.datasets import Palette


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

    The supported layouts, of which the first match is used::

        DIR/images, DIR/masks (or labels, annotations, ...; same names or NAME_mask, ...)
        DIR/train/images, DIR/train/masks, and the same for val and test
        DIR/images/train, DIR/masks/train, and the same for val and test
        DIR/train, DIR/trainannot, and the same for val and test
        DIR/NAME.jpg next to DIR/NAME.png or DIR/NAME_mask.png; or in DIR/train, DIR/val
        with DIR/train.txt or DIR/ImageSets/Segmentation/train.txt: the names of a split

    By default, class names are the lines of DIR/classes.txt, labels.txt or class_names.txt, the
    list (or the values by id) in DIR/class_names.json or classes.json, or the names and colours in
    DIR/labelmap.txt with CVAT's lines NAME:RED,GREEN,BLUE. Without these files, all masks are read,
    and the classes are named "class N" up to the highest id.

    Args:
        path: DIR.
        split: "train", "val", "test" or another name of a folder or list; None for a folder
            without splits.
        class_names: Names by label id.
        ignore_class: Label of ignored pixels.
        palette: RGB colours by label id, also used to read masks that are stored as colours.
        label_map: Label id by pixel value of the masks; other values are unchanged.
        allow_missing: Whether to skip images without a mask instead of raising an error.

    Raises:
        FileNotFoundError: If the folder or split does not exist.
        ValueError: If the layout is not supported, or an image has no mask.

    Example:

    >>> data = read_folder("pets", "train")  # doctest: +SKIP
    >>> data.class_names  # doctest: +SKIP
    ('background', 'cat', 'dog')
    """
    path = Path(path).expanduser()
    layout = find_layout(path, split)
    examples = _examples(layout, path, allow_missing)
    if class_names is None:
        class_names, file_palette = read_classes(path)
        palette = palette or file_palette
    if class_names is None:
        class_names = classes_of_masks(
            all_masks(path), label_map=label_map, palette=palette, ignore_class=ignore_class
        )
    return SegmentationFiles(
        examples,
        class_names=class_names,
        ignore_class=ignore_class,
        palette=palette,
        label_map=label_map,
    )


def unpaired(path: str | Path, split: str | None = None) -> tuple[list[Path], list[Path]]:
    """Returns the images without a mask and the masks without an image of a folder or split.

    Files that a split list does not name are ignored.
    """
    layout = find_layout(Path(path).expanduser(), split)
    if layout.names:
        return [], []
    images, masks = layout_files(layout)
    partners = {name: mask_of(name, masks) for name in images}
    alone = sorted(set(masks.values()) - set(partners.values()))
    return [images[name] for name, mask in partners.items() if mask is None], alone


def unread(path: str | Path, split: str | None = None) -> list[Path]:
    """Returns the files in the folders of a split that may be photos or masks but are not read."""
    layout = find_layout(Path(path).expanduser(), split)
    return sorted({*passed_over(layout.images), *passed_over(layout.masks)})


def all_masks(path: Path) -> list[Path]:
    """Returns the masks of all splits of a folder, sorted."""
    return sorted({mask for layout in all_layouts(path) for mask in _masks_with_image(layout)})


def numbering_of(path: str | Path, dataset: str | None) -> Numbering | None:
    """Returns how a plain folder numbers the classes of a dataset; None for their ids."""
    return published_numbering(dataset, all_masks(Path(path).expanduser()))


def has_pairs(path: Path) -> bool:
    """Returns whether a folder holds images with masks in one of the usual layouts."""
    for layout in all_layouts(path):
        with suppress(ValueError):
            if any(_masks_with_image(layout)):
                return True
    return False


def _masks_with_image(layout: Layout) -> Iterator[Path]:
    images, masks = layout_files(layout)
    return (mask for name in images if (mask := mask_of(name, masks)))


def _examples(layout: Layout, path: Path, allow_missing: bool) -> list[Example]:
    images, masks = layout_files(layout)
    for folder, found in ((layout.images, images), (layout.masks, masks)):
        if not found:
            raise ValueError(no_images(folder))
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
            + (" allow_missing=True skips them." if examples else "")
        )
    return examples
