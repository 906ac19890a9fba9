"""Resolves files, folders, patterns and addresses to photos and videos with output names."""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath

from keras_deeplab.data.images import IMAGE_SUFFIXES, no_images
from keras_deeplab.data.remote import file_system, is_remote, is_web, remote_path

RESULTS = "results.jsonl"
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"})
_CAMERA = re.compile(r"camera:\d+")
_OWN_ENDINGS = ("_mask", "_overlay")


@dataclass(frozen=True)
class Item:
    """One photo or video: its path or address, and the prefix of its output files, with "/"."""

    source: str
    name: str

    @property
    def is_video(self) -> bool:
        """Whether it is a camera, or a video by its suffix."""
        if self.is_camera:
            return True
        path = remote_path(self.source) if is_remote(self.source) else Path(self.source)
        return path.suffix.lower() in VIDEO_SUFFIXES

    @property
    def is_camera(self) -> bool:
        """Whether it is a camera, such as "camera:0"."""
        return _CAMERA.fullmatch(self.source) is not None

    @property
    def camera(self) -> int:
        """The number of the camera."""
        return int(self.source.partition(":")[2])

    @property
    def identity(self) -> str:
        """The absolute path, the address, or the camera."""
        if self.is_camera or is_remote(self.source):
            return self.source
        return os.path.abspath(os.path.expanduser(self.source))


@dataclass
class Found:
    """Photos and videos, and the numbers of skipped files by suffix, results and folders."""

    items: list[Item] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    results: int = 0
    subfolders: int = 0

    def summary(self) -> str | None:
        """Returns a line about the skipped files, or None."""
        parts = []
        if self.skipped:
            kinds = ", ".join(f"{number} {kind}" for kind, number in self.skipped.most_common())
            parts.append(f"{_counted(sum(self.skipped.values()), 'file')} ({kinds})")
        if self.results:
            parts.append(_counted(self.results, "mask or overlay", "masks or overlays"))
        if self.subfolders:
            parts.append(f"{_counted(self.subfolders, 'folder')} (use --recursive)")
        hints = []
        if VIDEO_SUFFIXES & self.skipped.keys():
            hints.append("Videos are segmented if they are named, as in 'folder/*.mp4'.")
        if {".heic", ".heif"} & self.skipped.keys():
            hints.append('HEIC photos: pip install "keras_deeplab[heic]".')
        return f"skipped {', '.join(parts)}. {' '.join(hints)}".rstrip() if parts else None


def find_sources(
    sources: Sequence[str], *, out: str | None = None, recursive: bool = False
) -> Found:
    """Returns the photos and videos of files, folders, patterns and addresses.

    Masks and overlays that this package wrote are left out of folders and patterns, and so is the
    folder `out`. `recursive` includes subfolders, whose tree is kept in the output names.
    """
    found = Found()
    for source in sources:
        if _CAMERA.fullmatch(source):
            found.items.append(Item(source, source.replace(":", "_")))
        elif is_web(source):
            found.items.append(_named(source, remote_path(source).name))
        elif is_remote(source):
            _find_stored(source, found, recursive=recursive)
        else:
            _find_local(source, found, out, recursive=recursive)
    paths = [item.source for item in found.items]
    if not any(_CAMERA.fullmatch(x) or is_remote(x) or Path(x).is_file() for x in paths):
        raise FileNotFoundError(
            f"There must be a photo. Received: {', '.join(paths[:5])}, "
            f"which {'does' if len(paths) == 1 else 'do'} not exist."
        )
    found.items = list({item.identity: item for item in reversed(found.items)}.values())[::-1]
    return found


def distinct(items: Iterable[Item], taken: dict[str, str]) -> Iterator[Item]:
    """Yields the items with names that no other photo's files have; `taken` are photos by name."""
    used = {name.lower(): photo for name, photo in taken.items()}
    kept = {photo: name for name, photo in taken.items()}
    for item in items:
        name, number = kept.get(item.identity, item.name), 2
        while used.setdefault(name.lower(), item.identity) != item.identity:
            name, number = f"{item.name}_{number}", number + 1
        yield replace(item, name=name)


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _named(source: str, relative: str) -> Item:
    return Item(source, str(PurePosixPath(relative).with_suffix("")))


def _find_local(source: str, found: Found, out: str | None, *, recursive: bool) -> None:
    path = Path(source).expanduser()
    if path.is_dir():
        _find_in_folder(path, found, out, recursive=recursive)
    elif path.exists() or not glob.has_magic(source):
        found.items.append(_named(str(path), path.name))
    else:
        names = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        files = [name for name in names if name.is_file()]
        root = _fixed_root(path)
        own = {file for folder in {f.parent for f in files} for file in _own_results(folder)}
        pairs = ((file, file.relative_to(root).as_posix()) for file in files)
        if not _take(found, pairs, own | _beside_their_photo(files), lambda file: True):
            raise FileNotFoundError(
                f"The pattern must match files{' that are no results' if files else ''}. "
                f"Received: {source!r}."
            )


def _take(
    found: Found,
    files: Iterable[tuple[Path | str, str]],
    own: set[Path],
    wanted: Callable[[Path], bool],
) -> bool:
    """Adds the `wanted` files, each with its relative path, that are not the package's own."""
    before = len(found.items)
    for source, relative in files:
        path = Path(source)
        if path in own:
            found.results += 1
        elif path.name == RESULTS:
            continue
        elif wanted(path):
            found.items.append(_named(str(source), relative))
        else:
            found.skipped[path.suffix.lower() or "without suffix"] += 1
    return len(found.items) > before


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _fixed_root(pattern: PurePath) -> PurePath:
    """Returns the folder before the first part with a wildcard."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return type(pattern)(*parts[:first])


def _find_in_folder(folder: Path, found: Found, out: str | None, *, recursive: bool) -> None:
    excluded = None if out is None or is_remote(out) else Path(out).expanduser().resolve()
    own: set[Path] = set()
    files: list[Path] = []
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != excluded
        )
        if not recursive:
            found.subfolders += len(folders)
            folders.clear()
        files += [here / name for name in sorted(names) if not name.startswith(".")]
        own |= _own_results(here)
    own |= _beside_their_photo(list(filter(_is_image, files)))
    pairs = ((file, file.relative_to(folder).as_posix()) for file in files)
    if not _take(found, pairs, own, lambda file: _is_image(file) and file.is_file()):
        raise ValueError(no_images(folder).removesuffix(".") + _skipped(found))


def _skipped(found: Found) -> str:
    summary = found.summary()
    return f"; {summary}" if summary else "."


def _own_results(folder: Path) -> set[Path]:
    """Returns the files that the records in a folder name."""
    own: set[Path] = set()
    try:
        lines = (folder / RESULTS).read_bytes().splitlines()
    except OSError:
        return own
    for line in lines:
        try:
            record = json.loads(line)
            own.update(folder / record[kind] for kind in ("mask", "overlay") if kind in record)
        except (ValueError, TypeError):
            continue
    return own


def _beside_their_photo(images: Sequence[Path]) -> set[Path]:
    """Returns masks and overlays that are in the folder of their photo."""
    known = {file.with_suffix("") for file in images}
    return {
        file
        for file in images
        for ending in _OWN_ENDINGS
        if file.stem.endswith(ending) and file.with_name(file.stem.removesuffix(ending)) in known
    }


def _find_stored(source: str, found: Found, *, recursive: bool) -> None:
    system, path = file_system(source)
    is_folder = not glob.has_magic(path) and system.isdir(path)
    if not is_folder and not glob.has_magic(path):
        found.items.append(_named(source, remote_path(source).name))
        return
    if is_folder:
        root = path.rstrip("/")
        names = sorted(system.find(path, maxdepth=None if recursive else 1))
    else:
        root = _fixed_root(PurePosixPath(path)).as_posix()
        names = sorted(name for name in system.glob(path) if system.isfile(name))
    files = {system.unstrip_protocol(name): name.removeprefix(root).lstrip("/") for name in names}
    kinds = IMAGE_SUFFIXES | (frozenset() if is_folder else VIDEO_SUFFIXES)
    own = _beside_their_photo([Path(source) for source in files])
    if not _take(found, files.items(), own, lambda file: file.suffix.lower() in kinds):
        raise FileNotFoundError(
            f"There must be photos. Received: {source!r} without any{_skipped(found)}"
        )
