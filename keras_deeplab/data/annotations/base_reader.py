"""What the readers of annotations have in common."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_deeplab._files import read_text
from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.shapes import Size

# What a file of another shape than expected raises. SyntaxError: broken XML; LookupError: a missing
# key or entry, or an unknown encoding.
DAMAGED = (ValueError, TypeError, LookupError, AttributeError, OSError, SyntaxError, OverflowError)


class NoAreaError(Exception):
    """A part of a file can be read, but encloses no area."""


class AnnotationReader(ABC):
    """Reads the annotations of a folder.

    Attributes:
        tree: The files of the folder.
        result: What was read.
        names: Classes in the order of the files.
        relative: The file that is read, relative to the folder.
        path: The file that is read.
        split: Its split, or None.
    """

    title: ClassVar[str]
    suffix: ClassVar[str] = ".json"
    # Regular expressions that a file of the format holds, and one that it must not hold.
    keys: ClassVar[tuple[bytes, ...]]
    without: ClassVar[bytes | None] = None
    # Whether each photo has its own file, whose name then says nothing about the split.
    file_per_photo: ClassVar[bool] = False
    smaller_on_top: ClassVar[bool] = False
    unlabelled: ClassVar[str] = "background"
    # Level, kind and requirement of the problem that a part of a file is damaged or has no area.
    damaged: ClassVar[tuple[str, str, str]]
    no_area: ClassVar[tuple[str, str, str]] = (
        "warning",
        "shape without area",
        "A shape must have an area; others are left out.",
    )

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.result = Annotations(
            self.title, smaller_on_top=self.smaller_on_top, unlabelled=self.unlabelled
        )
        self.names: dict[str, None] = {}
        self.relative, self.path = "", tree.root
        self.split: str | None = None

    @classmethod
    def find(cls, tree: FileTree) -> str | None:
        """Returns a file of the format, if there is one."""
        return tree.first_holding(cls.suffix, *cls.keys, without=cls.without)

    def files(self) -> Iterable[str]:
        """Returns all files of the format."""
        return self.tree.holding(self.suffix, *self.keys, without=self.without)

    def read(self) -> Annotations:
        """Reads all files. Classes that the files do not list follow, sorted by name."""
        for relative in self.files():
            with self.reading(relative):
                self.read_file()
        used = {name for photo in self.result.photos for name in photo.names()}
        self.result.class_names = (*self.names, *sorted(used - self.names.keys()))
        return self.result

    @abstractmethod
    def read_file(self) -> None:
        """Reads the file at `path`."""

    @contextmanager
    def reading(self, relative: str) -> Iterator[None]:
        """Sets the file that is read; its damage becomes a problem."""
        self.relative, self.path = relative, self.tree.path(relative)
        self.split = split_of(relative.rpartition("/")[0] if self.file_per_photo else relative)
        try:
            yield
        except DAMAGED as error:
            self.result.find(
                "error",
                "annotation file not readable",
                self.path,
                f"An annotation file must be complete. Received: {str(self.path)!r} "
                f"({_words(error)}).",
            )

    @contextmanager
    def part(self, place: str) -> Iterator[None]:
        """The damage of a part of the file becomes a problem, and the others are read."""
        try:
            yield
        except NoAreaError as error:
            self.find_problem(*self.no_area, f"{error}, in {place}")
        except DAMAGED as error:
            self.find_problem(*self.damaged, f"{_words(error)}, in {place}")

    def find_problem(self, level: str, kind: str, must: str, received: str) -> None:
        """Adds a problem of the file."""
        message = f"{must} Received: {received} in {str(self.path)!r}."
        self.result.find(level, kind, self.path, message)

    def find_image(self, reference: str) -> Path | None:
        """Returns the photo that the file names, if it is there."""
        return self.tree.find_image(reference, near=self.relative, split=self.split)

    def add_photo(self, reference: str, image: Path | None, size: Size | None) -> AnnotatedPhoto:
        """Adds a photo that the file annotates."""
        photo = AnnotatedPhoto(reference, image, self.path, size, split=self.split)
        self.result.photos.append(photo)
        return photo

    def add_colour(self, name: str, text: Any) -> None:
        """Sets the colour of a class, if it is one such as "#ff8000"."""
        if re.fullmatch(r"#[0-9a-fA-F]{6}", str(text)):
            red, green, blue = bytes.fromhex(text[1:])
            self.result.colours[name] = (red, green, blue)


def _words(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: If it is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error


def lines_of(path: Path) -> list[str]:
    """Returns the lines of a text file that are not empty, without spaces around them."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def size_of(row: Any, height: str = "height", width: str = "width") -> Size | None:
    """Returns (height, width) from the values of a row or element; None if one is missing."""
    sides = row.get(height), row.get(width)
    return (int(sides[0]), int(sides[1])) if all(sides) else None


def points_of(values: Any) -> np.ndarray:
    """Returns float64 points (points, 2) from pairs, or from x and y in turn.

    Raises:
        ValueError: If these are not finite pairs.
    """
    points = np.asarray(values, "float64")
    points = points.reshape(-1, 2) if points.size % 2 == 0 else points
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError("points must be pairs of finite numbers")
    return points
