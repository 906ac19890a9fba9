"""Class names of a folder, and how its masks number the classes."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab._files import read_text
from keras_deeplab._validation import listed
from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets import label_maps
from keras_deeplab.presets.datasets import DATASETS, Palette, numbered_classes

# Without class names, a wider gap between label ids is an error rather than absent classes.
_WIDEST_GAP = 32
# Masks that are read to recognise the numbering of a dataset.
_SAMPLE = 20
_logger = logging.getLogger("keras_deeplab")


class Numbering(NamedTuple):
    """Label ids by value of a dataset's files, and a message on how to read them otherwise."""

    label_map: Mapping[int, int]
    message: str


def known_classes(dataset: str, *, skip: int = 0) -> dict[str, Any]:
    """Returns the arguments of `SegmentationFiles` for a dataset, without the first classes."""
    row = DATASETS[dataset]
    return dict(
        class_names=row.class_names[skip:],
        ignore_class=row.ignore_class,
        palette=row.palette[skip:],
    )


def read_classes(path: Path) -> tuple[tuple[str, ...] | None, Palette | None]:
    """Reads class names, and colours if available, from the usual files of a folder.

    Names in one file and colours in another, such as classes.txt and labelmap.txt, are combined.
    """
    source, names = next(_read(path, _NAME_FILES), (path, None))
    for found, rows in _read(path, _COLOUR_FILES):
        colours = dict(rows)
        own = tuple(colours)
        if names is None or set(names) <= set(own):
            return names or own, tuple(colours[name] for name in names or own)
        _logger.warning(
            "The classes are those of %s. The colours of %s are not used, because it names other "
            "classes: %s.",
            source.name,
            found.name,
            listed(own),
        )
    return names, None


def _read(path: Path, readers: Mapping[str, Callable[[Path], Any]]) -> Iterator[tuple[Path, Any]]:
    """Yields the files of a folder that name classes, and what they hold."""
    for pattern, read in readers.items():
        for file in sorted(path.glob(pattern)):
            if file.is_file():
                rows = tuple(read(file))
                names = [row if isinstance(row, str) else row[0] for row in rows]
                if not names or len(set(names)) < len(names):
                    raise ValueError(
                        f"Class names must be distinct, one a line. Received: {names} in "
                        f"{str(file)!r}."
                    )
                yield file, rows


def _from_lines(path: Path) -> list[str]:
    """Reads a name a line, without label ids in front if each line starts with its own, from 0."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    found = [re.fullmatch(r"(\d+)(?:\s*[:,;=]\s*|\s+)(.+)", line) for line in lines]
    if [int(match[1]) if match else -1 for match in found] != list(range(len(lines))):
        return lines
    return [match[2] for match in found if match]


def _from_json(path: Path) -> list[str]:
    text = read_text(path)
    try:
        value = json.loads(text)
        if isinstance(value, dict):
            value = [value[str(label)] for label in range(len(value))]
    except (ValueError, KeyError, RecursionError) as error:
        value = error
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(
            f"A JSON file of class names must hold a list, or names by id from 0. Received: "
            f"{str(path)!r}."
        )
    return value


def _from_roboflow(path: Path) -> list[str]:
    names: dict[int, str] = {}
    for row in list(csv.reader(read_text(path).splitlines()))[1:]:
        if len(row) < 2 or not row[0].strip().isdigit():
            raise ValueError(
                f"A _classes.csv must have lines ID, NAME after its heading. Received: {row} in "
                f"{str(path)!r}."
            )
        names[int(row[0])] = ",".join(row[1:]).strip()
    # What no class covers is 0, also where the list starts with 1.
    names.setdefault(0, "background")
    return [names.get(i, name) for i, name in enumerate(numbered_classes(max(names) + 1))]


def _with_colours(path: Path) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Reads names and colours from the lines of CVAT's labelmap.txt, or of a class_dict.csv."""
    lines = read_text(path).splitlines()
    if path.suffix == ".csv":
        layout = "NAME,RED,GREEN,BLUE after its heading"
        rows = [(line, row[:4]) for line, row in zip(lines, csv.reader(lines), strict=False)][1:]
    else:
        layout = "NAME:RED,GREEN,BLUE"
        lines = [line for line in lines if line.strip() and not line.startswith("#")]
        rows = [(line, line.replace(":", ",", 1).split(":")[0].split(",")) for line in lines]
    for line, row in rows:
        name, *levels = row or [""]
        if len(levels) != 3 or not all(level.strip().isdigit() for level in levels):
            raise ValueError(
                f"A {path.name} must have lines {layout}. Received: {line!r} in {str(path)!r}."
            )
        red, green, blue = map(int, levels)
        yield name.strip(), (red, green, blue)


_NAME_FILES: dict[str, Callable[[Path], Any]] = {
    "class_names.json": _from_json,
    "classes.json": _from_json,
    "classes.txt": _from_lines,
    "labels.txt": _from_lines,
    "class_names.txt": _from_lines,
    # Roboflow writes one into the folder of each split.
    "_classes.csv": _from_roboflow,
    "*/_classes.csv": _from_roboflow,
}
_COLOUR_FILES = {"labelmap.txt": _with_colours, "class_dict.csv": _with_colours}


def names_classes(path: Path) -> bool:
    """Returns whether a folder has a file that names its classes; Roboflow's do not count."""
    names = [name for name in (*_NAME_FILES, *_COLOUR_FILES) if "_classes.csv" not in name]
    return any((path / name).is_file() for name in names)


def classes_of_masks(
    masks: Sequence[Path],
    *,
    label_map: Mapping[int, int] | None,
    palette: Palette | None,
    ignore_class: int,
) -> tuple[str, ...]:
    """Returns names "class N" up to the highest label id in the masks, which must be plausible.

    Unreadable masks are skipped; reading them later raises the error.
    """

    def ids_of(mask: Path) -> set[int] | Exception:
        try:
            return _ids(mask, label_map, palette=palette, ignore_class=ignore_class)
        except (ValueError, OSError) as error:
            return error

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(ids_of, masks))
    ids = {
        mask: result
        for mask, result in zip(masks, results, strict=True)
        if not isinstance(result, Exception)
    }
    if not ids:
        raise ValueError(f"None of the {len(masks)} masks can be read. {results[0]}")
    seen = sorted(set().union(*ids.values()))
    found = [label for label in seen if label != ignore_class]
    remedy = (
        "Correct the masks, give class_names or write the names to classes.txt in the folder, one "
        "a line."
    )
    if len(found) < 2:
        if ignore_class in seen:
            remedy = (
                f"If {ignore_class} is a class, pass label_map={{{ignore_class}: 1}} "
                f"(--label-map {ignore_class}:1)."
            )
        raise ValueError(
            f"Masks must hold the ids of two classes or more. Received: {len(masks)} masks with "
            f"{', '.join(map(str, seen))}, of which {ignore_class} is ignored, such as "
            f"{str(masks[0])!r}. {remedy}"
        )
    for below, label in pairwise(found):
        if label - below > _WIDEST_GAP:
            mask = next(mask for mask, labels in ids.items() if label in labels)
            raise ValueError(
                f"The ids of masks must be 0, 1, 2, ..., or {ignore_class} to ignore. Received: "
                f"{label} in {str(mask)!r} while the others go to {below}. {remedy}"
            )
    return numbered_classes(found[-1] + 1)


def _ids(mask: Path, label_map: Mapping[int, int] | None = None, **options: Any) -> set[int]:
    counts = np.bincount(read_mask(mask, label_map, **options).ravel())
    return set(np.flatnonzero(counts).tolist())


def published_numbering(dataset: str | None, masks: Sequence[Path]) -> Numbering | None:
    """Returns the numbering of a dataset's files; None if they hold the ids of the classes.

    Twenty of the masks are read.
    """
    if dataset not in ("ade20k", "cityscapes", "coco_stuff") or not masks:
        return None
    ids: set[int] = set()
    for index in np.linspace(0, len(masks) - 1, min(len(masks), _SAMPLE)).astype(int):
        with suppress(ValueError, OSError):  # colours or damaged: reading it later is the error
            ids |= _ids(masks[index])
    label_map: Mapping[int, int]
    if dataset == "cityscapes" and _are_label_ids(ids, masks[0].stem):
        label_map, words = label_maps.CITYSCAPES_LABEL_IDS, "Cityscapes' labelIds"
    elif dataset == "coco_stuff" and 182 in ids:
        label_map, words = (
            label_maps.COCO_STUFF_10K_LABELS,
            "those of COCO-Stuff 10k, 1-182, with 0 ignored",
        )
    # The published files hold no 255; conversions to 0-149 ignore by it.
    elif dataset == "ade20k" and (150 in ids or 255 not in ids):
        label_map, words = label_maps.ADE20K_LABELS, "ADE20K's own, 1-150, with 0 ignored"
    else:
        return None
    return Numbering(
        label_map,
        f"The ids of {str(masks[0].parent)!r} are read as {words}. If they are the ids of the "
        f"classes already, pass label_map={{255: 255}} (--label-map 255:255).",
    )


def _are_label_ids(ids: set[int], stem: str) -> bool:
    if stem.endswith("labelIds"):
        return True
    if stem.lower().endswith(("trainids", "train_id")):
        return False
    if not ids <= set(label_maps.CITYSCAPES_LABEL_IDS):
        return False
    classes = {label for label, index in label_maps.CITYSCAPES_LABEL_IDS.items() if index != 255}
    # Of the trainIds, no one is above 18, and the road, 0, is in all but a few masks.
    return max(ids, default=0) > 18 or (bool(ids & classes) and 0 not in ids)
