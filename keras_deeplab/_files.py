"""Atomic file writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yields a temporary path, which is renamed to `path` when the block ends.

    If the process is killed at any time, `path` contains either the old or the new file, complete.
    After an error, `path` is unchanged.

    Args:
        path: Final path of the file. The temporary path is in the same folder and has its suffix.

    Example:

    >>> with write_atomically(Path("log.csv")) as partial:  # doctest: +SKIP
    ...     partial.write_text("epoch,loss")
    """
    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
