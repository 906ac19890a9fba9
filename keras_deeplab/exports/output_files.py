"""Output paths of exports: checks, and atomic writes."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_deeplab._validation import check_choice
from keras_deeplab.inference.sidecar import sidecar_path

FORMATS = ("saved_model", "tflite", "onnx")
_FORMATS = {".tflite": "tflite", ".onnx": "onnx"}
# Temporary files that are older belong to processes that were killed.
_STALE_SECONDS = 24 * 3600.0
_FOREIGN = {".keras", ".h5", ".pb", ".json", ".lite", ".pt"}


def resolve_format(path: Path, format: str | None) -> str:
    """Returns the format: as given, or from the suffix.

    Raises:
        ValueError: If the format is unknown, or the suffix belongs to another format.
    """
    suffix = path.suffix.lower()
    own = "other" if suffix in _FOREIGN else _FORMATS.get(suffix, "saved_model")
    if format is None and own != "other":
        return own
    if format is None:
        needs = "must end in .tflite or .onnx, or be a folder for a SavedModel"
    else:
        check_choice("format", format, FORMATS)
        if format == own:
            return format
        ending = "".join(ending for ending, name in _FORMATS.items() if name == format)
        needs = f"must {f'end in {ending}' if ending else 'be a folder'} for format={format!r}"
    raise ValueError(f"path {needs}. Received: path={str(path)!r}.")


def check_writable(path: Path, format: str) -> None:
    """Raises `ValueError` or `PermissionError` if the export could not be written."""
    if format == "saved_model":
        ours = not path.exists() or (
            path.is_dir() and ((path / "saved_model.pb").exists() or not any(path.iterdir()))
        )
        if not ours:
            kind = "folder of other files" if path.is_dir() else "file"
            raise ValueError(
                f"path must be new, or a SavedModel to replace. Received: the {kind} {str(path)!r}."
            )
    elif path.is_dir():
        raise ValueError(
            f"path must be a file for format={format!r}. Received: the folder {str(path)!r}."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionError(
            f"The folder of path must be one that can be made. Received: path={str(path)!r} "
            f"({error.strerror})."
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder must be writable. Received: {str(path.parent)!r}.")


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yields a temporary path next to `path` with its suffix, and removes it at the end.

    What exports that were killed more than a day ago have left is removed too.
    """
    for left in path.parent.glob(f".{glob.escape(path.stem)}.*{glob.escape(path.suffix)}"):
        number = left.name.removeprefix(f".{path.stem}.").removesuffix(path.suffix)
        if number.isdigit() and time.time() - left.stat().st_mtime > _STALE_SECONDS:
            _remove(left)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    _remove(partial)
    try:
        yield partial
    finally:
        for temporary in (partial, sidecar_path(partial)):
            _remove(temporary)


def put(partial: Path, path: Path, metadata: str) -> None:
    """Moves a finished export to its final path and writes its metadata next to it."""
    staged = sidecar_path(partial)
    staged.write_text(metadata)
    if not partial.is_dir():
        # Metadata first: a file without it would not be recognised as an export of this package.
        staged.replace(sidecar_path(path))
        partial.replace(path)
        return
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    _remove(old)


def byte_count(path: Path) -> int:
    """Returns the size of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
