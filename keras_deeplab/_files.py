"""Atomic file writes, and checks of files before they are read."""

from __future__ import annotations

import os
import stat
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


def check_file(path: Path, what: str) -> None:
    """Raises an error unless ``path`` is a file, or a link to one.

    Reading a named pipe or a device may never end.

    Args:
        path: The path.
        what: Subject of the message, such as "The photo".

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is a folder, named pipe, socket or device.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{what} must exist. Received: {str(path)!r}.") from error
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
        raise ValueError(
            f"{what} must be a file. Received: the {kinds.get(stat.S_IFMT(mode), 'device')} "
            f"{str(path)!r}."
        )


def unpacked_limit(packed: int) -> int:
    """Returns the number of bytes that an archive of weights or labels may unpack to.

    Args:
        packed: Size of the archive in bytes.
    """
    # Floats compress to no less than a third; masks, which compress better, are small.
    return 100 * packed + 200_000_000
