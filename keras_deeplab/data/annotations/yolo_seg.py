"""Ultralytics' YOLO segmentation: a text file of polygons for each photo, and data.yaml."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from keras_deeplab._files import read_text
from keras_deeplab.data.annotations.annotated import Annotations, Region, upright_size
from keras_deeplab.data.annotations.base_reader import AnnotationReader, NoAreaError, lines_of
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.shapes import Polygon, Size

_KEYS = (rb"(?m)^names\s*:", rb"(?m)^(train|val|path|nc)\s*:")
_LINE = rb"\A\s*\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*(\n|\Z)"
_LISTS = ("classes.txt", "labels.txt", "obj.names")
_MUST = "A line must be a class and a polygon, x and y from 0 to 1."


class YoloReader(AnnotationReader):
    """The photos of all splits. A photo without a text file holds background only."""

    title = "YOLO polygons"
    smaller_on_top = True
    damaged = ("error", "line not readable", _MUST)
    no_area = ("error", "box, no outline", _MUST)

    @classmethod
    def find(cls, tree: FileTree) -> str | None:
        texts = tree.files.get(".txt", ())
        if {_stem(path) for path in texts}.isdisjoint(_stem(path) for path in tree.images):
            return None
        for suffix in (".yaml", ".yml"):
            if found := tree.first_holding(suffix, *_KEYS):
                return found
        in_labels = any("/labels/" in f"/{path}" for path in texts)
        return tree.first_holding(".txt", _LINE) if in_labels else None

    def _read_project(self) -> None:
        """Reads the names of the classes, and which photos belong to which split."""
        self._classes: dict[int, str] = {}
        self._splits: dict[str, str | None] = {}
        holding = self.tree.holding
        for relative in [*holding(".yaml", *_KEYS), *holding(".yml", *_KEYS)][:1]:
            with self.reading(relative):
                content = _yaml(self.path)
                names = content["names"]
                pairs = names.items() if isinstance(names, dict) else enumerate(names)
                self._classes = {int(number): str(name) for number, name in pairs}
                self._splits = _splits(self.tree, self.path.parent, content)
        for path in (self.tree.root / name for name in _LISTS):
            if not self._classes and path.is_file():
                self._classes = dict(enumerate(lines_of(path)))
        if not self._splits:
            self._splits = {path: split_of(os.path.dirname(path)) for path in self.tree.images}

    def files(self) -> Iterable[str]:
        return self._splits

    def read_file(self) -> None:
        """Reads the annotations of the photo at `path`."""
        image = self.path
        before, found, after = f"/{self.relative}".rpartition("/images/")
        label = f"{before}/labels/{after}" if found else f"/{self.relative}"
        self.path = self.tree.path(os.path.splitext(label)[0][1:] + ".txt")
        self.split = self._splits[self.relative]
        photo = self.add_photo(self.relative, image, None)
        if not self.path.is_file():
            self.result.unannotated.append(image)
            return
        size = photo.size = upright_size(image)
        for number, line in enumerate(read_text(self.path).splitlines(), 1):
            if line.strip():
                with self.part(f"line {number} for {self.relative!r}"):
                    photo.regions.append(_region(line.split(), self._classes, size))

    def read(self) -> Annotations:
        self._read_project()
        result = super().read()
        result.class_names = tuple(name for _, name in sorted(self._classes.items()))
        stems = {_stem(path) for path in self.tree.images}
        for relative in self.tree.files.get(".txt", ()):
            if "/labels/" in f"/{relative}" and _stem(relative) not in stems:
                path = self.tree.path(relative)
                result.find(
                    "error",
                    "annotated photo missing",
                    path,
                    f"Every file of labels must have its photo. Received: {str(path)!r}.",
                )
        if {one.kind for one in result.problems} == {self.no_area[1]} and not any(
            photo.regions for photo in result.photos
        ):
            raise ValueError(
                f"The labels must be polygons (class x y x y ...). Received: boxes in "
                f"{str(self.tree.root)!r}, which is a dataset for detection."
            )
        return result


def _stem(path: str) -> str:
    return os.path.splitext(path.rpartition("/")[2])[0]


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from error


def _splits(tree: FileTree, base: Path, content: Any) -> dict[str, str | None]:
    """Returns the photos of the splits that a data.yaml names, with the split."""
    found: dict[str, str | None] = {}
    for key, split in (("train", "train"), ("val", "val"), ("validation", "val"), ("test", "test")):
        places = content.get(key) or ()
        for place in [places] if isinstance(places, str) else places:
            text = str(place).replace("\\", "/")
            for image in _photos_at(tree, base, str(content.get("path") or ""), text):
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
    top = tree.root.resolve()
    for path in candidates:
        if path.is_file():
            found = (tree.find_image(line) for line in lines_of(path))
            return [one.relative_to(tree.root).as_posix() for one in found if one is not None]
        if path.is_dir() and (folder := path.resolve()).is_relative_to(top):
            start_with = "" if folder == top else f"{folder.relative_to(top).as_posix()}/"
            return [image for image in tree.images if image.startswith(start_with)]
    return []


def _region(columns: list[str], names: dict[int, str], size: Size) -> Region:
    label = int(float(columns[0]))
    values = np.array(columns[1:], "float64")
    if len(values) % 2 or not np.isfinite(values).all():
        raise ValueError("coordinates must be pairs of numbers")
    if len(values) == 4:
        raise NoAreaError("a box without an outline")
    if len(values) > 4 and (values.min() < -0.01 or values.max() > 1.01):
        raise ValueError("coordinates must be shares of the photo's size, 0 to 1")
    points = values.reshape(-1, 2) * size[::-1]
    return Region(names.get(label, f"class {label}"), Polygon((points,)))
