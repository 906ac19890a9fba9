"""Ultralytics' YOLO segmentation: a text file of polygons for each photo, and data.yaml."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import (
    AnnotatedPhoto,
    Annotations,
    Region,
    upright_size,
)
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.json_files import DAMAGED, note_damage
from keras_deeplab.data.annotations.shapes import Polygon

_KEYS = (rb"(?m)^names\s*:", rb"(?m)^(train|val|path|nc)\s*:")
_LINE = rb"\A\s*\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*(\n|\Z)"
_LISTS = ("classes.txt", "labels.txt", "obj.names")


def find_yolo(tree: FileTree) -> str | None:
    """Returns data.yaml, or a file of labels in a folder of that name, if there is one."""
    stems = {_stem(path) for path in tree.files.get(".txt", ())}
    if stems.isdisjoint(_stem(path) for path in tree.images):
        return None
    for suffix in (".yaml", ".yml"):
        if found := tree.first_holding(suffix, *_KEYS):
            return found
    folders = {path.split("/")[-2] for path in tree.files.get(".txt", ()) if "/" in path}
    if "labels" in folders or any("/labels/" in f"/{path}" for path in tree.files.get(".txt", ())):
        return tree.first_holding(".txt", _LINE)
    return None


def _stem(path: str) -> str:
    return os.path.splitext(path.rpartition("/")[2])[0]


def read_yolo(tree: FileTree) -> Annotations:
    """Reads the photos of all splits. A photo without a text file holds background only."""
    result = Annotations("YOLO polygons", smaller_on_top=True)
    names: dict[int, str] = {}
    images: dict[str, str | None] = {}
    for relative in [*tree.holding(".yaml", *_KEYS), *tree.holding(".yml", *_KEYS)][:1]:
        try:
            content = _yaml(tree.path(relative))
            names = _names(content)
            images = _images(tree, relative, content)
        except DAMAGED as error:
            note_damage(result, tree.path(relative), error)
    for name in _LISTS:
        if not names and (tree.root / name).is_file():
            lines = (tree.root / name).read_text(encoding="utf-8-sig").splitlines()
            names = dict(enumerate(line.strip() for line in lines if line.strip()))
    images = images or {path: split_of(path.rpartition("/")[0]) for path in tree.images}
    result.class_names = tuple(names[number] for number in sorted(names))
    for image, split in images.items():
        _add_photo(result, tree, image, split, names)
    _find_photos_missing(result, tree)
    if result.photos and all(one.kind == "box, no outline" for one in result.problems):
        empty = not any(photo.regions for photo in result.photos)
        if result.problems and empty:
            raise ValueError(
                f"The labels must be polygons (class x y x y ...). Received: boxes in "
                f"{str(tree.root)!r}, which is a dataset for detection."
            )
    return result


def _find_photos_missing(result: Annotations, tree: FileTree) -> None:
    stems = {_stem(path) for path in tree.images}
    for relative in tree.files.get(".txt", ()):
        if "/labels/" in f"/{relative}" and _stem(relative) not in stems:
            result.find(
                "error",
                "annotated photo missing",
                tree.path(relative),
                f"Every file of labels must have its photo. Received: "
                f"{str(tree.path(relative))!r}.",
            )


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from error


def _names(content: Any) -> dict[int, str]:
    """Returns class names by number, from a list or a mapping."""
    names = content["names"]
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}


def _images(tree: FileTree, relative: str, content: Any) -> dict[str, str | None]:
    """Returns the photos of the splits that a data.yaml names, with the split."""
    found: dict[str, str | None] = {}
    base = tree.path(relative).parent
    root = str(content.get("path") or "")
    for key, split in (("train", "train"), ("val", "val"), ("validation", "val"), ("test", "test")):
        places = content.get(key) or ()
        for place in [places] if isinstance(places, str) else places:
            for image in _photos_at(tree, base, root, str(place).replace("\\", "/")):
                found.setdefault(image, split)
    return found


def _photos_at(tree: FileTree, base: Path, root: str, place: str) -> list[str]:
    """Returns the photos in a folder, or in a list of photos.

    Paths of data.yaml are often of the machine that it was written on: the longest end of the path
    that exists here counts.
    """
    inside = PurePosixPath(os.path.normpath(os.path.join(root, place)))
    parts = [part for part in inside.parts if part not in ("/", "..", ".")]
    candidates = [base / root / place, base / place]
    for start in range(len(parts)):
        candidates += [base.joinpath(*parts[start:]), tree.root.joinpath(*parts[start:])]
    for path in candidates:
        if path.is_file():
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            named = (tree.find_image(line.strip()) for line in lines if line.strip())
            inside_tree = (_relative(tree, one) for one in named if one is not None)
            return [one for one in inside_tree if one is not None]
        if path.is_dir() and (prefix := _relative(tree, path)) is not None:
            start_with = "" if prefix == "." else f"{prefix}/"
            return [image for image in tree.images if image.startswith(start_with)]
    return []


def _relative(tree: FileTree, path: Path) -> str | None:
    full = os.path.realpath(path)
    root = os.path.realpath(tree.root)
    if full != root and not full.startswith(root + os.sep):
        return None
    return os.path.relpath(full, root).replace(os.sep, "/")


def _add_photo(
    result: Annotations, tree: FileTree, image: str, split: str | None, names: dict[int, str]
) -> None:
    before, found, after = f"/{image}".rpartition("/images/")
    label = f"{before}/labels/{after}" if found else f"/{image}"
    path = tree.path(os.path.splitext(label)[0][1:] + ".txt")
    photo = AnnotatedPhoto(image, tree.path(image), path, None, split=split)
    result.photos.append(photo)
    if not path.is_file():
        result.unannotated.append(tree.path(image))
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        photo.size = upright_size(tree.path(image))
    except (OSError, ValueError) as error:
        note_damage(result, path, error)
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            _add_line(result, photo, number, line.split(), names)


def _add_line(
    result: Annotations,
    photo: AnnotatedPhoto,
    number: int,
    columns: list[str],
    names: dict[int, str],
) -> None:
    try:
        label = int(float(columns[0]))
        values = np.array(columns[1:], "float64")
        if len(values) % 2 or not np.isfinite(values).all():
            raise ValueError("coordinates must be pairs of numbers")
        if len(values) > 4 and (values.min() < -0.01 or values.max() > 1.01):
            raise ValueError("coordinates must be shares of the photo's size, 0 to 1")
    except (OverflowError, ValueError) as error:
        result.find("error", "line not readable", photo.file, _words(photo, number, str(error)))
        return
    if len(values) == 4:
        words = _words(photo, number, "a box without an outline")
        result.find("error", "box, no outline", photo.file, words)
        return
    height, width = photo.size or (1, 1)
    points = values.reshape(-1, 2) * (width, height)
    name = names.get(label, f"class {label}")
    photo.regions.append(Region(name, Polygon((points,))))


def _words(photo: AnnotatedPhoto, number: int, problem: str) -> str:
    return (
        f"A line must be a class and a polygon, x and y from 0 to 1. Received: {problem}, in line "
        f"{number} of {str(photo.file)!r}."
    )
