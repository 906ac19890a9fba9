"""Pairs images with their masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_deeplab._files import read_text
from keras_deeplab.data.images import IMAGE_SUFFIXES
from keras_deeplab.data.sources import Example
from keras_deeplab.data.split_names import first_column

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


def stem(name: str) -> str:
    """Returns a file's name without folder and the suffixes of an image or mask.

    Example:

    >>> stem("masks/2007.1.jpg.png")
    '2007.1'
    """
    name = Path(name).name
    while (suffix := Path(name).suffix).lower() in IMAGE_SUFFIXES | {".mat"}:
        name = name.removesuffix(suffix)
    return name


def files_by_stem(
    folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, *, deep: bool = False
) -> dict[str, Path]:
    """Returns the files of a folder with one of the suffixes by their stem, sorted.

    Args:
        folder: The folder.
        suffixes: Suffixes of the files, in lower case.
        deep: Whether to include the files in subfolders, by "folder/stem".

    Raises:
        ValueError: If two files have the same stem.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        inside = path.relative_to(folder)
        if path.suffix.lower() in suffixes and not any(x.startswith(".") for x in inside.parts):
            key = (inside.parent / stem(path.name)).as_posix()
            if key in found:
                raise ValueError(
                    f"A folder must hold one file of each name. Received: "
                    f"{str(found[key])!r} and {str(path)!r}. Remove or rename one."
                )
            found[key] = path
    return found


def mask_of(name: str, masks: dict[str, Path]) -> Path | None:
    """Returns the mask of an image.

    Args:
        name: Stem of the image, after its folder if that is below the folder of images.
        masks: Masks by stem.
    """
    folder, slash, name = name.rpartition("/")
    for start in _IMAGE_STARTS:
        for ending in _IMAGE_ENDINGS:
            base = _between(start, name, ending)
            if base is None:
                continue
            for mask_start in _MASK_STARTS:
                for mask_ending in _MASK_ENDINGS:
                    found = masks.get(f"{folder}{slash}{mask_start}{base}{mask_ending}")
                    if found is not None:
                        return found
    return None


def image_bases(name: str) -> set[str]:
    """Returns an image's stem, and what is left of it without the additions of tools.

    Example:

    >>> sorted(image_bases("img_1"))
    ['1', '_1', 'img_1']
    """
    bases = (_between(start, name, end) for start in _IMAGE_STARTS for end in _IMAGE_ENDINGS)
    return {base for base in bases if base}


def _between(start: str, name: str, ending: str) -> str | None:
    """Returns the part of a name between a start and an ending, or None."""
    if not name.startswith(start) or not name.endswith(ending):
        return None
    return name[len(start) : len(name) - len(ending)] or None


def is_mask_name(name: str) -> str | None:
    """Returns the image name in a mask stem such as `cat_mask`, or None for other stems."""
    for ending in sorted(_MASK_ENDINGS[1:], key=len, reverse=True):
        if base := _between("", name, ending):
            return base
    return next((base for start in _MASK_STARTS[1:] if (base := _between(start, name, ""))), None)


def read_names(path: Path) -> list[str]:
    """Reads the stems of a split list.

    A line has a name or image path, and optionally the path of its mask, or VOC's 1 or -1.

    Raises:
        ValueError: If the list is empty or names an image twice.
    """
    lines = read_text(path).splitlines()
    names = [stem(first_column(line.replace("\\", "/"))) for line in lines if line.strip(" ,\t")]
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
    """Returns the examples of a split list.

    Args:
        names: Stems.
        images: Images by stem.
        masks: Masks by stem.
        listed_in: Path of the list, for error messages.

    Raises:
        FileNotFoundError: If an image or mask is missing.
    """
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
    """Returns the first of `paths` that exists in a folder, or else in a folder below it.

    Args:
        root: Folder to search.
        paths: Relative paths of a folder or file.
        depth: Number of folder levels below `root` to search.
    """
    level = [Path(root).expanduser()]
    for _ in range(depth + 1):
        for folder in level:
            for path in paths:
                if (folder / path).exists():
                    return folder / path
        # Skips folders without subfolders: listing thousands of images twice is slow.
        level = [child for folder in level for child in sorted(_folders(folder))]
    return None


def need_folder(root: str | Path, *paths: str, what: str, remedy: str = "") -> Path:
    """Returns the result of `find_folder`.

    Raises:
        FileNotFoundError: If none of the paths exists.
    """
    found = find_folder(root, *paths)
    if found is None:
        raise FileNotFoundError(
            f"The folder of {what} must hold {' or '.join(paths)}. Received: {str(root)!r}"
            f"{', which does not exist' if not Path(root).expanduser().exists() else ''}."
            f"{' ' + remedy if remedy else ''}"
        )
    return found


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
