"""Lists folders, and pairs images with their masks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from keras_deeplab._files import check_file
from keras_deeplab.data.images import IMAGE_SUFFIXES
from keras_deeplab.data.sources import Example
from keras_deeplab.data.split_names import listed_photos

# What tools append to the names of masks, and of images.
_MASK_ENDINGS = (
    "", "_mask", "_masks", "_label", "_labels", "_gtFine_labelTrainIds", "_gtFine_labelIds",
    "_gtCoarse_labelTrainIds", "_gtCoarse_labelIds", "_labelTrainIds", "_labelIds", "_train_id",
    "_gt", "_seg", "_segmentation", "_annotation", "_L", "-mask", "-label", ".mask",
)  # fmt: skip
_IMAGE_ENDINGS = ("", "_image", "_img", "_sat", "_rgb", "_leftImg8bit")
# What they put in front.
_MASK_STARTS = (
    "", "mask_", "masks_", "label_", "labels_", "gt_", "seg_", "annotation_", "mask-", "label-",
    "mask", "label",
)  # fmt: skip
_IMAGE_STARTS = ("", "image_", "images_", "img_", "photo_", "image-", "img-", "image", "img")
_LONGEST_FIRST = tuple(sorted(_MASK_ENDINGS[1:], key=len, reverse=True))
_SUFFIXES = IMAGE_SUFFIXES | {".mat"}
# Links may lead in circles.
_DEEPEST = 8


class Entries(NamedTuple):
    """Names of the files and folders in a folder, sorted; without those that start with a dot."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


_known: ContextVar[dict[str, Entries] | None] = ContextVar("known", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Within it, `entries` lists each folder once: a folder of 100,000 files takes a while."""
    token = _known.set(_known.get() or {})
    try:
        yield
    finally:
        _known.reset(token)


def entries(folder: Path) -> Entries:
    """Returns what is in a folder; nothing if it does not exist."""
    known, key = _known.get(), str(folder)
    if known is not None and key in known:
        return known[key]
    files: list[str] = []
    folders: list[str] = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for one in found:
            # `os.path.isdir`, unlike `one.is_dir`, takes a link to itself.
            is_folder = os.path.isdir(one.path) if one.is_symlink() else one.is_dir()
            if not one.name.startswith("."):
                (folders if is_folder else files).append(one.name)
    result = Entries(tuple(sorted(files)), tuple(sorted(folders)))
    if known is not None:
        known[key] = result
    return result


def stem(name: str) -> str:
    """Returns a file's name, "masks/2007.1.jpg.png", without folder and suffixes: "2007.1"."""
    base, suffix = os.path.splitext(os.path.basename(name))
    while suffix.lower() in _SUFFIXES:
        base, suffix = os.path.splitext(base)
    return base + suffix


def files_by_stem(
    folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, *, deep: bool = False
) -> dict[str, Path]:
    """Returns the files of a folder with one of the suffixes by their stem, sorted.

    `deep` includes the files in subfolders, by "folder/stem". Two files of one stem are a
    `ValueError`.
    """
    found: dict[str, Path] = {}
    if not deep and not folder.is_dir():
        raise FileNotFoundError(f"The folder must exist. Received: {str(folder)!r}.")
    inside = _inside(folder, _DEEPEST if deep else 0)
    wanted = frozenset(suffixes)
    for name in sorted(inside, key=lambda name: name.split("/")):
        if os.path.splitext(name)[1].lower() in wanted:
            place, slash, file = name.rpartition("/")
            key, path = f"{place}{slash}{stem(file)}", folder / name
            if key in found:
                raise ValueError(
                    f"A folder must hold one file of each name. Received: "
                    f"{str(found[key])!r} and {str(path)!r}. Remove or rename one."
                )
            found[key] = path
    return found


def _inside(folder: Path, levels: int, prefix: str = "") -> Iterator[str]:
    """Yields the files in a folder, and in so many levels of subfolders, relative to it."""
    files, folders = entries(folder)
    yield from (prefix + name for name in files)
    for name in folders if levels else ():
        yield from _inside(folder / name, levels - 1, f"{prefix}{name}/")


def mask_of(name: str, masks: dict[str, Path]) -> Path | None:
    """Returns the mask of an image by the stem of the image, after its folder if it is in one."""
    folder, slash, name = name.rpartition("/")
    for base in image_bases(name):
        for start in _MASK_STARTS:
            for ending in _MASK_ENDINGS:
                found = masks.get(f"{folder}{slash}{start}{base}{ending}")
                if found is not None:
                    return found
    return None


def image_bases(name: str) -> list[str]:
    """Returns an image's stem, "img_1", and what is left without the additions of tools: "1"."""
    starts = [start for start in _IMAGE_STARTS if name.startswith(start)]
    ends = [end for end in _IMAGE_ENDINGS if name.endswith(end)]
    bases = (_between(start, name, end) for start in starts for end in ends)
    return [base for base in bases if base]


def _between(start: str, name: str, ending: str) -> str | None:
    """Returns the part of a name between a start and an ending, or None."""
    if not name.startswith(start) or not name.endswith(ending):
        return None
    return name[len(start) : len(name) - len(ending)] or None


def is_mask_name(name: str) -> str | None:
    """Returns the image name in a mask stem such as `cat_mask`, or None for other stems."""
    if not name.endswith(_LONGEST_FIRST) and not name.startswith(_MASK_STARTS[1:]):
        return None
    for ending in _LONGEST_FIRST:
        if base := _between("", name, ending):
            return base
    return next((base for start in _MASK_STARTS[1:] if (base := _between(start, name, ""))), None)


def read_names(path: Path) -> list[str]:
    """Reads the stems of a split list, which must name an image once."""
    check_file(path, "The split list")
    names = [stem(name) for name in listed_photos(path)]
    if not names:
        raise ValueError(f"A split list must name images. Received: {str(path)!r} without any.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"A split list must name an image once. Received: {twice!r} twice in {str(path)!r}."
        )
    return names


def examples_of(
    names: Sequence[str], images: dict[str, Path], masks: dict[str, Path], listed_in: Path
) -> list[Example]:
    """Returns the examples of the stems of a split list, `listed_in`, all of which must exist."""
    examples = []
    for name in names:
        image, mask = images.get(name), mask_of(name, masks)
        if image is None or mask is None:
            raise FileNotFoundError(
                f"Every name of {str(listed_in)!r} must have an image and a mask. Received: "
                f"{name!r} without {'image' if image is None else 'mask'}."
            )
        examples.append(Example(name, image, mask))
    return examples


def find_folder(root: str | Path, *paths: str, depth: int = 3) -> Path | None:
    """Returns the first of `paths` that is in a folder, or else below it, down to `depth`."""
    level = [Path(root).expanduser()]
    for _ in range(depth + 1):
        for folder in level:
            for path in paths:
                if (folder / path).exists():
                    return folder / path
        level = [folder / name for folder in level for name in entries(folder).folders]
    return None


def need_folder(root: str | Path, *paths: str, what: str, remedy: str = "") -> Path:
    """Returns the result of `find_folder`; nothing is a `FileNotFoundError`."""
    found = find_folder(root, *paths)
    if found is None:
        gone = "" if Path(root).expanduser().exists() else ", which does not exist"
        raise FileNotFoundError(
            f"The folder of {what} must hold {' or '.join(paths)}. Received: {str(root)!r}{gone}. "
            f"{remedy}".rstrip()
        )
    return found
