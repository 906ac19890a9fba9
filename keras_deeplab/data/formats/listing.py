"""The files and folders in a folder, listed once for a task."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple


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
    key = str(folder)
    known = _known.get()
    if known is not None and key in known:
        return known[key]
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as found:
            for one in found:
                if not one.name.startswith("."):
                    (folders if _is_folder(one) else files).append(one.name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    result = Entries(tuple(sorted(files)), tuple(sorted(folders)))
    if known is not None:
        known[key] = result
    return result


def _is_folder(one: os.DirEntry[str]) -> bool:
    try:
        return one.is_dir()
    except OSError:  # A link to itself.
        return False
