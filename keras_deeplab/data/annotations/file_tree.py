"""The files of a dataset folder, listed once, and the photos that annotations name."""

from __future__ import annotations

import mmap
import os
import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from keras_deeplab.data.images import IMAGE_SUFFIXES
from keras_deeplab.data.split_names import SPLITS

_DEPTH = 6
# Files of one folder that are opened to recognise a format.
_TRIED = 10
_TRIED_IN_ALL = 200
_ANNOTATIONS = (".json", ".xml", ".txt", ".yaml", ".yml", ".names")
_SPLITS = {alias: split for split, aliases in SPLITS.items() for alias in aliases}
# Label Studio puts eight hexadecimal digits before the name of an uploaded file.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")


class FileTree:
    """The files below a folder.

    Attributes:
        root: The folder.
        files: Paths relative to the folder, with "/", by suffix in lower case.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        self.files: dict[str, list[str]] = defaultdict(list)
        self._list(str(self.root), "", 0)
        for paths in self.files.values():
            paths.sort()

    def _list(self, folder: str, prefix: str, depth: int) -> None:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if depth < _DEPTH:
                    self._list(entry.path, f"{prefix}{entry.name}/", depth + 1)
            else:
                suffix = os.path.splitext(entry.name)[1].lower()
                self.files[suffix].append(prefix + entry.name)

    def path(self, relative: str) -> Path:
        """Returns the full path."""
        return self.root / relative

    def state(self) -> int:
        """Returns a number that changes with the files: names, and age and size of annotations."""
        facts: list[object] = []
        for suffix in sorted(self.files):
            paths = self.files[suffix]
            facts += paths
            if suffix in _ANNOTATIONS:
                stats = (os.stat(self.path(path)) for path in paths if self.path(path).exists())
                facts += [(one.st_mtime_ns, one.st_size) for one in stats]
        return hash(tuple(facts))

    def holding(self, suffix: str, *patterns: bytes, without: bytes | None = None) -> list[str]:
        """Returns files of a suffix that hold all regular expressions, and not `without`.

        Folders are passed over if none of their first ten files, and not the last, does.
        """
        folders: dict[str, list[str]] = defaultdict(list)
        for relative in self.files.get(suffix, ()):
            folders[relative.rpartition("/")[0]].append(relative)
        found = []
        for paths in folders.values():
            sample = dict.fromkeys([*paths[:_TRIED], paths[-1]])
            if any(self._holds(path, patterns, None) for path in sample):
                found += [path for path in paths if self._holds(path, patterns, without)]
        return found

    def first_holding(
        self, suffix: str, *patterns: bytes, without: bytes | None = None
    ) -> str | None:
        """Returns the first file of a suffix that holds all regular expressions, and not `without`.

        Opens at most ten files a folder, and 200 in all.
        """
        tried: dict[str, int] = defaultdict(int)
        for relative in self.files.get(suffix, ()):
            folder = relative.rpartition("/")[0]
            if tried[folder] == _TRIED or len(tried) > _TRIED_IN_ALL:
                continue
            tried[folder] += 1
            if self._holds(relative, patterns, without):
                return relative
        return None

    def _holds(self, relative: str, patterns: tuple[bytes, ...], without: bytes | None) -> bool:
        path = self.path(relative)
        try:
            if not path.is_file() or not path.stat().st_size:
                return False
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                return all(re.search(pattern, content) for pattern in patterns) and not (
                    without and re.search(without, content)
                )
        except (OSError, ValueError):
            return False

    @cached_property
    def images(self) -> list[str]:
        """All image files."""
        return sorted(path for suffix in IMAGE_SUFFIXES for path in self.files.get(suffix, ()))

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Image files by name, with and without the suffix."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.images:
            name = path.rpartition("/")[2]
            found[name].append(path)
            found[os.path.splitext(name)[0]].append(path)
        return found

    def find_image(
        self, reference: str, *, near: str = "", split: str | None = None
    ) -> Path | None:
        """Returns the photo of a name, path or address that an annotation gives.

        If several photos have the name, those in `split`, and near the file `near`, come first.
        """
        wanted = _path_of(reference)
        names = [wanted.name, *(m[1] for m in [_UPLOADED.fullmatch(wanted.name)] if m)]
        names += [PurePosixPath(name).stem for name in names]
        for name in names:
            found = self.by_name.get(name, ())
            if found:
                return self.path(max(found, key=lambda path: _fit(path, wanted, near, split)))
        return None


def _fit(path: str, wanted: PurePosixPath, near: str, split: str | None) -> tuple[int, int, int]:
    """Returns how well a photo fits: parts in common from the end, split, folders in common."""
    parts = PurePosixPath(path).parts
    same = 0
    for one, other in zip(reversed(parts), reversed(wanted.parts), strict=False):
        if one != other:
            break
        same += 1
    shared = 0
    for one, other in zip(parts[:-1], PurePosixPath(near).parts[:-1], strict=False):
        shared += one == other
    return same, int(split is not None and split_of(path.rpartition("/")[0]) == split), shared


def _path_of(reference: str) -> PurePosixPath:
    """Returns the path in a name, a path of any system, or an address."""
    text = reference.replace("\\", "/")
    if "?" in text or "://" in text:
        address = urlsplit(text)
        # Label Studio's local files: /data/local-files/?d=folder/photo.jpg
        text = unquote(parse_qs(address.query).get("d", [address.path])[0])
    return PurePosixPath(text.lstrip("/") or "photo")


def split_of(path: str) -> str | None:
    """Returns the split that a path names, such as "val" for annotations/instances_val2017.json.

    The last folder or file that names one counts.
    """
    for part in reversed(PurePosixPath(path.lower()).parts):
        for word in re.findall(r"[a-z]+", part):
            if word in _SPLITS:
                return _SPLITS[word]
    return None
