"""Files that are whole at any moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Gives a path to write to, which takes the name of `path` when the block ends.

    Whenever the process is killed, `path` is whole: as it was, or new. An error leaves it as it
    was.

    Args:
        path: The file's final path; the one to write to is beside it and has its suffix.

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
