"""Atomic file writes, checks of files before they are read, and text in any Unicode encoding."""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_atomically(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary path of the same folder and suffix, renamed to `path` at the block's end.

    If the process is killed at any time, `path` contains either the old or the new file, complete.
    After an error, it is unchanged. `durable` files also survive a power failure, which takes
    milliseconds.
    """
    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        with naming_file(path):
            yield partial
            if durable:
                with partial.open("r+b") as file:
                    os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Writes a text file in UTF-8, complete or not at all, and returns its path."""
    with write_atomically(path) as partial:
        partial.write_text(text, "utf-8")
    return path


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Adds a file's name to errors of the system that name none, such as those of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes, and other calls in this one, from working in a folder.

    The system releases the lock, on the file ".lock" in it, when the process ends, however it ends.
    On file systems without locks, nothing is checked.
    """
    with (folder / ".lock").open("a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise ValueError(
                    f"{folder} must be used by one process at a time. Received: a folder that "
                    f"another one is writing to. Wait for it, or choose another folder."
                ) from error
        yield


def check_file(path: Path, what: str) -> None:
    """Raises `FileNotFoundError` or `ValueError` unless ``path`` is a file, or a link to one.

    Reading a named pipe or a device may never end. `what` is the subject, such as "The photo".
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


def make_folder(path: Path) -> Path:
    """Creates a folder to write to, and those above it; `ValueError` if one of them is a file."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"The folder to write to must not be a file, nor be in one. Received: {str(path)!r}. "
            f"Choose another folder (on the shell, --out)."
        ) from error
    return path


def unpacked_limit(packed: int) -> int:
    """Returns the bytes that an archive of weights or labels, of `packed` bytes, may unpack to."""
    # Floats compress to no less than a third; masks, which compress better, are small.
    return 100 * packed + 200_000_000


# The longer marks first: that of UTF-32 starts with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path) -> str:
    """Reads a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"A text file must be in UTF-8. Received: {str(path)!r} with another encoding, such as "
            f"Windows-1252 (ANSI), in line {line}. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise ValueError(
            f"A text file must be in UTF-8. Received: {str(path)!r} with zero bytes, as in UTF-16 "
            f"without a byte order mark. Save it as UTF-8."
        )
    return text
