"""The folder that results are written to: local, or in storage that fsspec opens."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keras_deeplab._files import make_folder, naming_file
from keras_deeplab.data.remote import file_system, is_remote

_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Destination:
    """A local folder, or an address such as "s3://bucket/masks".

    In it, every file is complete or absent.
    """

    folder: str

    @property
    def local(self) -> Path | None:
        """The local folder, or None."""
        return None if is_remote(self.folder) else Path(self.folder).expanduser()

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        system, path = file_system(self.folder)
        return system, path.rstrip("/")

    def __getstate__(self) -> dict[str, Any]:
        # A worker opens its own connection, and may have another working folder.
        return {"folder": os.path.abspath(self.local) if self.local else self.folder}

    def prepare(self) -> None:
        """Creates the folder and removes what a killed run left unfinished."""
        if self.local is None:
            self._remote[0].makedirs(self._remote[1], exist_ok=True)
        else:
            make_folder(self.local)
            self.close()

    def shown(self, name: str) -> str:
        """Returns the path or address of a file in the folder."""
        return str(self.local / name) if self.local else f"{self.folder.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Whether a file, or a folder, is in the folder."""
        if self.local is not None:
            return (self.local / name).exists()
        system, folder = self._remote
        return bool(system.exists(f"{folder}/{name}"))

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file, or None if it is absent."""
        if self.local is not None:
            path = self.local / name
            return path.read_bytes() if path.is_file() else None
        system, folder = self._remote
        return system.cat_file(f"{folder}/{name}") if self.exists(name) else None

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, which gets its name when it is complete."""
        if self.local is None:
            system, folder = self._remote
            system.pipe_file(f"{folder}/{name}", content)
            return
        partial = self.unfinished(Path(name).suffix)
        with naming_file(self.local / name):
            partial.write_bytes(content)
        self.put(partial, name)

    def unfinished(self, suffix: str = "") -> Path:
        """Returns a new local path for a file or folder that `put` moves to its place."""
        if self.local is None:
            return Path(tempfile.mkdtemp(prefix="keras-deeplab-")) / f"file{suffix}"
        folder = self.local / _UNFINISHED
        folder.mkdir(exist_ok=True)
        return folder / f"{uuid.uuid4().hex}{suffix}"

    def put(self, partial: Path, name: str) -> None:
        """Moves a complete local file or folder into the folder, under a name."""
        if self.local is None:
            system, folder = self._remote
            system.put(str(partial), f"{folder}/{name}", recursive=partial.is_dir())
            shutil.rmtree(partial.parent, ignore_errors=True)
            return
        target = self.local / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        partial.replace(target)

    def close(self) -> None:
        """Removes the folder of unfinished files."""
        if self.local is not None:
            shutil.rmtree(self.local / _UNFINISHED, ignore_errors=True)
