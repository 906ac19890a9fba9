"""Data sources from the annotations of labelling tools."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_deeplab._validation import check_choice, listed, suggestion
from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations, Drawing
from keras_deeplab.data.annotations.base_reader import AnnotationReader
from keras_deeplab.data.annotations.coco_json import CocoReader, PanopticReader
from keras_deeplab.data.annotations.cvat_xml import CvatReader
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.annotations.label_studio_json import LabelStudioReader
from keras_deeplab.data.annotations.labelme_json import LabelMeReader
from keras_deeplab.data.annotations.split_lists import divide_by_lists
from keras_deeplab.data.annotations.supervisely_json import SuperviselyReader
from keras_deeplab.data.annotations.yolo_seg import YoloReader
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.presets.datasets import Palette, voc_palette

BACKGROUNDS = ("background", "_background_", "__background__")
_logger = logging.getLogger("keras_deeplab")


# In the order in which they are tried.
FORMATS: dict[str, type[AnnotationReader]] = {
    "yolo": YoloReader,
    "supervisely": SuperviselyReader,
    "coco": CocoReader,
    "coco_panoptic": PanopticReader,
    "labelme": LabelMeReader,
    "label_studio": LabelStudioReader,
    "cvat": CvatReader,
}


def find_format(tree: FileTree) -> tuple[str, str] | None:
    """Returns the name of the format of a folder, and a file that shows it, or None."""
    for name, reader in FORMATS.items():
        if found := reader.find(tree):
            return name, found
    return None


def load_annotations(path: str | Path, name: str) -> Annotations:
    """Reads the annotations of a folder, in the format `name`.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there are no annotations of the format.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"The data must be a folder. Received: {str(root)!r}, which "
            f"{'is a file' if root.exists() else 'does not exist'}."
        )
    tree = FileTree(root)
    state = tree.state()
    if _last.get("key") != (str(root), name, state):
        _last.update(key=(str(root), name, state), annotations=_load(tree, name))
    annotations: Annotations = _last["annotations"]
    return annotations


# The annotations read last: a command asks for splits and for several sources.
_last: dict[str, Any] = {}


def _load(tree: FileTree, name: str) -> Annotations:
    annotations = FORMATS[name](tree).read()
    divide_by_lists(annotations, tree)
    if annotated_splits(annotations):
        for photo in annotations.photos:
            photo.split = photo.split or "train"
    known = {photo.image for photo in annotations.photos}
    known |= {photo.file for photo in annotations.photos if photo.raster}
    known |= {*annotations.unannotated, *annotations.set_aside}
    annotations.unannotated += [path for path in map(tree.path, tree.images) if path not in known]
    if not annotations.photos:
        problems = " ".join(one.message for one in annotations.problems[:3])
        raise ValueError(
            f"The folder must hold annotations ({name}). Received: {str(tree.root)!r} without any. "
            f"{problems}".rstrip()
        )
    return annotations


def annotated_splits(annotations: Annotations) -> tuple[str, ...]:
    """Returns the splits of annotations; none if they are not divided."""
    found = {photo.split for photo in annotations.photos}
    return tuple(split for split in ("train", "val", "test") if split in found)


def read_annotated(
    path: str | Path,
    splits: Iterable[str | None],
    *,
    annotations: Annotations,
    class_names: Sequence[str] | None = None,
    ignore_class: int = 255,
    palette: Palette | None = None,
    label_map: Mapping[int, int] | None = None,
    unlabelled: str | None = None,
    other_classes: str = "error",
    allow_missing: bool = True,
) -> list[SegmentationFiles]:
    """Returns data sources of splits, whose masks are drawn from annotations.

    The options are those of `read_dataset`; the annotations are those of `load_annotations`. Photos
    that they name and that are not there are left out with a warning, or are errors.

    Raises:
        FileNotFoundError: If a split is missing, or photos.
        ValueError: If classes are unknown.
    """
    errors = [one.message for one in annotations.problems if one.level == "error"]
    if errors and not annotations.said:
        words = f"{len(errors)} problem{'s' * (len(errors) > 1)}"
        _logger.warning(
            "%s in the annotations of %s (check-data lists all): %s", words, path, errors[0]
        )
    annotations.said = True
    unlabelled = unlabelled or annotations.unlabelled
    check_choice("unlabelled", unlabelled, ("background", "ignore"))
    check_choice("other_classes", other_classes, ("error", "unlabelled"))
    names, ids = _classes(annotations, class_names, unlabelled, ignore_class)
    _check_names(annotations, ids, other_classes, path)
    if palette is None:
        palette = _palette(names, annotations.colours)
    base = 0 if unlabelled == "background" else ignore_class
    sources = []
    for split in splits:
        examples = [
            Example(
                name,
                image,
                photo.file,
                Drawing(photo, ids, base, ignore_class, annotations.smaller_on_top),
            )
            for name, image, photo in _named(annotations, split, path, allow_missing)
        ]
        source = SegmentationFiles(
            examples,
            class_names=names,
            ignore_class=ignore_class,
            palette=palette,
            label_map=label_map,
        )
        source.read_as = annotations.title
        sources.append(source)
    return sources


def _classes(
    annotations: Annotations, class_names: Sequence[str] | None, unlabelled: str, ignore_class: int
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Returns class names by label id, and label ids by the names in the annotations."""
    annotated = annotations.class_names
    if class_names is None:
        own = [name for name in annotated if name.lower() in BACKGROUNDS]
        others = [name for name in annotated if name not in own]
        first = ["background"] if own or unlabelled == "background" else []
        names = (*first, *others)
        ids = dict.fromkeys(own, 0)
    else:
        names = tuple(class_names)
        ids = {
            name: names.index(one)
            for name in annotated
            if name.lower() in BACKGROUNDS
            for one in names[:1]
            if one.lower() in BACKGROUNDS
        }
    return names, ids | {name: label for label, name in enumerate(names)}


def _check_names(
    annotations: Annotations, ids: Mapping[str, int], other_classes: str, path: str | Path
) -> None:
    """Raises `ValueError` if regions have classes that are not among the names."""
    used = Counter(name for photo in annotations.photos for name in photo.names())
    unknown = {name: count for name, count in used.items() if name not in ids}
    if not unknown:
        return
    words = listed([f"{name!r} ({count} photos)" for name, count in unknown.items()])
    if other_classes == "unlabelled":
        _logger.warning("Left out, as their classes are not named: %s.", words)
        return
    raise ValueError(
        f"Every annotated class must be named. Received: {words} in {str(path)!r}, while the "
        f"classes are {listed(list(ids), 12)}.{suggestion(next(iter(unknown)), ids)} Name them in "
        f"class_names (--class-names), or leave them out with other_classes='unlabelled' "
        f"(--other-classes unlabelled)."
    )


def _palette(names: Sequence[str], colours: Mapping[str, tuple[int, int, int]]) -> Palette:
    voc = voc_palette(len(names))
    found = tuple(colours.get(name, voc[label]) for label, name in enumerate(names))
    return found if len(set(found)) == len(found) else voc


def _named(
    annotations: Annotations, split: str | None, path: str | Path, allow_missing: bool
) -> Iterator[tuple[str, Path, AnnotatedPhoto]]:
    """Yields the photos of a split with names: the stem, or the path if stems are not distinct."""
    splits = annotated_splits(annotations)
    if split is None and len(splits) == 1:
        split = splits[0]
    if split is None and splits:
        raise ValueError(
            f"split must be one of {', '.join(map(repr, splits))}. Received: split=None for "
            f"{str(path)!r}, which has splits."
        )
    if split is not None and split not in splits:
        raise FileNotFoundError(
            f"The split must be in the folder. Received: split={split!r}, and {str(path)!r} "
            + (f"has {', '.join(splits)}." if splits else "is not divided.")
            + suggestion(split, splits)
        )
    photos = [photo for photo in annotations.photos if photo.split == split]
    missing = [photo for photo in photos if photo.image is None]
    if missing and (len(missing) == len(photos) or not allow_missing):
        raise FileNotFoundError(
            f"Every annotated photo must be in the folder. Received: {len(missing)} of "
            f"{len(photos)} missing in {str(path)!r}, such as {missing[0].reference!r}, which "
            f"{str(missing[0].file)!r} names."
        )
    if missing:
        _logger.warning(
            "%d of %d annotated photos are missing in %s and left out, such as %s.",
            len(missing),
            len(photos),
            path,
            missing[0].reference,
        )
    root = Path(path).expanduser()
    found = {photo.image: photo for photo in photos if photo.image is not None}
    stems = Counter(image.stem for image in found)
    for image, photo in found.items():
        name = image.stem
        if stems[name] > 1:
            inside = image.relative_to(root) if image.is_relative_to(root) else image
            name = str(inside.with_suffix("")) if len(inside.suffixes) == 1 else str(inside)
        yield name, image, photo
