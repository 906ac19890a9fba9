"""Class names and the number of classes of a folder."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from keras_deeplab._files import read_text
from keras_deeplab._validation import listed
from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets.datasets import Palette, numbered_classes

# Without class names, a wider gap between label ids is an error rather than absent classes.
_WIDEST_GAP = 32
# The files of a folder that name its classes.
CLASS_FILES = (
    "class_names.json",
    "classes.json",
    "classes.txt",
    "labels.txt",
    "class_names.txt",
    "labelmap.txt",
    "class_dict.csv",
)
_logger = logging.getLogger("keras_deeplab")


def read_classes(path: Path) -> tuple[tuple[str, ...] | None, Palette | None]:
    """Reads class names, and colours if available, from the usual files of a folder.

    Names in one file and colours in another, such as classes.txt and labelmap.txt, are combined.
    """
    source, names = _named(path)
    for found in _existing(path, "labelmap.txt", "class_dict.csv"):
        own, colours = (_names_from_cvat if found.suffix == ".txt" else _names_from_table)(found)
        if names is None or names == own:
            return own, colours
        if set(names) <= set(own):
            by_name = dict(zip(own, colours, strict=True))
            return names, tuple(by_name[name] for name in names)
        _logger.warning(
            "The classes are those of %s. The colours of %s are not used, because it names other "
            "classes: %s.",
            source,
            found.name,
            listed(own),
        )
    return names, None


def _existing(path: Path, *names: str) -> Iterator[Path]:
    return (path / name for name in names if (path / name).is_file())


def _named(path: Path) -> tuple[str, tuple[str, ...] | None]:
    """Returns the name of the file with class names, and the names."""
    for file in _existing(path, "class_names.json", "classes.json"):
        return file.name, _names_from_json(file)
    for file in _existing(path, "classes.txt", "labels.txt", "class_names.txt"):
        lines = [line.strip() for line in read_text(file).splitlines()]
        names = _without_numbers([line for line in lines if line])
        return file.name, _checked_names(names, file)[0]
    # Roboflow writes one into the folder of each split.
    for file in sorted([*path.glob("_classes.csv"), *path.glob("*/_classes.csv")]):
        return file.name, _names_from_roboflow(file)
    return "", None


def _without_numbers(lines: list[str]) -> list[str]:
    """Removes label ids in front of the names if each line starts with its own, from 0."""
    found = [re.fullmatch(r"(\d+)(?:\s*[:,;=]\s*|\s+)(.+)", line) for line in lines]
    numbers = [int(match[1]) if match else -1 for match in found]
    if numbers != list(range(len(lines))):
        return lines
    return [match[2] for match in found if match]


def _names_from_roboflow(path: Path) -> tuple[str, ...]:
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
    numbered = numbered_classes(max(names) + 1)
    return _checked_names([names.get(i, name) for i, name in enumerate(numbered)], path)[0]


def _names_from_table(path: Path) -> tuple[tuple[str, ...], Palette]:
    """Reads lines NAME,RED,GREEN,BLUE after a heading."""
    names, colours = [], []
    for row in list(csv.reader(read_text(path).splitlines()))[1:]:
        if len(row) < 4 or not all(level.strip().isdigit() for level in row[1:4]):
            raise ValueError(
                f"A class_dict.csv must have lines NAME,RED,GREEN,BLUE after its heading. "
                f"Received: {row} in {str(path)!r}."
            )
        names.append(row[0].strip())
        colours.append((int(row[1]), int(row[2]), int(row[3])))
    return _checked_names(names, path)[0], tuple(colours)


def _names_from_json(path: Path) -> tuple[str, ...]:
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
    return _checked_names(value, path)[0]


def _names_from_cvat(path: Path) -> tuple[tuple[str, ...], Palette]:
    names, colours = [], []
    for line in read_text(path).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        levels = rest.split(":")[0].split(",")
        if len(levels) != 3 or not all(level.strip().isdigit() for level in levels):
            raise ValueError(
                f"A labelmap.txt must have lines NAME:RED,GREEN,BLUE. Received: {line!r} in "
                f"{str(path)!r}."
            )
        names.append(name.strip())
        red, green, blue = (int(level) for level in levels)
        colours.append((red, green, blue))
    return _checked_names(names, path)[0], tuple(colours)


def _checked_names(names: Sequence[str], path: Path) -> tuple[tuple[str, ...], None]:
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"Class names must be distinct, one a line. Received: {list(names)} in {str(path)!r}."
        )
    return tuple(names), None


def classes_of_masks(
    masks: Sequence[Path],
    *,
    label_map: Mapping[int, int] | None,
    palette: Palette | None,
    ignore_class: int,
) -> tuple[str, ...]:
    """Returns names "class N" up to the highest label id in the masks.

    Unreadable masks are skipped; reading them later raises the error.

    Raises:
        ValueError: If the ids are not plausible label ids, or no mask can be read.
    """

    def ids_of(mask: Path) -> np.ndarray | Exception:
        try:
            labels = read_mask(mask, label_map, palette=palette, ignore_class=ignore_class)
        except (ValueError, OSError) as error:
            return error
        return np.flatnonzero(np.bincount(labels.ravel()))

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(ids_of, masks))
    ids = {
        mask: result
        for mask, result in zip(masks, results, strict=True)
        if not isinstance(result, Exception)
    }
    if not ids:
        raise ValueError(f"None of the {len(masks)} masks can be read. {results[0]}")
    found = sorted({int(label) for labels in ids.values() for label in labels} - {ignore_class})
    remedy = (
        "Correct the masks, give class_names or write the names to classes.txt in the folder, one "
        "a line."
    )
    if len(found) < 2:
        seen = sorted({int(label) for labels in ids.values() for label in labels})
        raise ValueError(
            f"Masks must hold the ids of two classes or more. Received: {len(masks)} masks with "
            f"{', '.join(map(str, seen))}, of which {ignore_class} is "
            f"ignored, such as {str(masks[0])!r}."
            + (
                f" If {ignore_class} is a class, pass label_map={{{ignore_class}: 1}} "
                f"(--label-map {ignore_class}:1)."
                if ignore_class in seen
                else f" {remedy}"
            )
        )
    for below, label in pairwise(found):
        if label - below > _WIDEST_GAP:
            mask = next(mask for mask, labels in ids.items() if label in labels)
            raise ValueError(
                f"The ids of masks must be 0, 1, 2, ..., or {ignore_class} to ignore. Received: "
                f"{label} in {str(mask)!r} while the others go to {below}. {remedy}"
            )
    return numbered_classes(found[-1] + 1)
