"""Names of splits, and the lines of split lists."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab._files import read_text
from keras_deeplab.data.images import IMAGE_SUFFIXES

# How folders and lists of each split are called.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "validation", "valid", "dev"),
    "test": ("test", "testing"),
}


def listed_photos(path: Path) -> list[str]:
    """Returns the photos of a split list, without the paths of their masks or VOC's 1 or -1."""
    lines = (line.replace("\\", "/") for line in read_text(path).splitlines())
    return [first_column(line) for line in lines if line.strip(" ,\t")]


def first_column(line: str) -> str:
    """Returns the first column of a split list's line, or all of it if the rest is the name's."""
    columns = line.replace(",", " ").split()
    last = columns[-1]
    is_file = "/" in last or Path(last).suffix.lower() in IMAGE_SUFFIXES
    is_flag = len(columns) == 2 and last in ("-1", "0", "1")
    if is_flag or (is_file and ("/" in columns[0] or "." in columns[0])):
        return columns[0]
    return line.strip()
