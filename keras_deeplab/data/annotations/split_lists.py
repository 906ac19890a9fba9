"""Split lists beside annotations: train.txt, val.txt, test.txt."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab.data.annotations.annotated import Annotations
from keras_deeplab.data.annotations.file_tree import FileTree
from keras_deeplab.data.split_names import SPLITS, listed_photos


def divide_by_lists(annotations: Annotations, tree: FileTree) -> None:
    """Sets the splits of annotated photos by lists, and leaves out photos that no list names.

    Does nothing if the annotations have two splits or more, or no list names an annotated photo.
    """
    if len({photo.split for photo in annotations.photos} - {None}) > 1:
        return
    annotated = {photo.image for photo in annotations.photos if photo.image}
    chosen: dict[Path, str] = {}
    for split, aliases in SPLITS.items():
        for path in _lists(tree, aliases):
            listed = _listed(tree, path)
            found = {image for image in listed.values() if image in annotated}
            if not found:
                continue
            chosen |= dict.fromkeys(found, split)
            for name in (name for name, image in listed.items() if image not in annotated):
                words = (
                    f"Every name of a split list must be of an annotated photo. Received: {name!r} "
                    f"in {str(tree.path(path))!r}."
                )
                annotations.find("error", "listed photo not annotated", tree.path(path), words)
            break
    if not chosen:
        return
    rest = [one.image for one in annotations.photos if one.image and one.image not in chosen]
    for image in rest:
        words = (
            f"Every annotated photo should be in a split list. Received: {str(image)!r}, which is "
            f"left out."
        )
        annotations.find("warning", "photo in no split list", image, words)
    annotations.set_aside += rest
    annotations.photos = [photo for photo in annotations.photos if photo.image in chosen]
    for photo in annotations.photos:
        if photo.image:
            photo.split = chosen[photo.image]


def _lists(tree: FileTree, aliases: tuple[str, ...]) -> list[str]:
    """Returns the files that may list a split, those of higher folders first."""
    names = {f"{alias}.txt" for alias in aliases}
    paths = (path for path in tree.files.get(".txt", ()) if path.rpartition("/")[2] in names)
    return sorted(paths, key=lambda path: (path.count("/"), path))


def _listed(tree: FileTree, path: str) -> dict[str, Path | None]:
    """Returns the photos that a list names, by their names in it."""
    names = dict.fromkeys(listed_photos(tree.path(path)))
    return {name: tree.find_image(name, near=path) for name in names}
