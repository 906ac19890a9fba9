"""Archives of a TFDS builder: downloaded, or laid into the manual folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from keras_deeplab.data.formats.pairing import find_folder


class Archive(NamedTuple):
    """A published archive.

    Attributes:
        url: Where it is published.
        holds: A path inside it, by which its unpacked contents are known.
    """

    url: str
    holds: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return PurePosixPath(urlsplit(self.url).path).name


def instructions(*archives: Archive) -> str:
    """Returns what to do by hand where the addresses fail, as TFDS shows it."""
    listed = "\n".join(f"  {archive.name} from {archive.url}" for archive in archives)
    return (
        f"The archives are downloaded. Where an address fails, find them elsewhere and put them, "
        f"packed or unpacked, into the manual folder:\n{listed}"
    )


def unpacked(dl_manager: Any, archive: Archive) -> Path:
    """Returns the folder with an archive's contents.

    It is looked for in the manual folder, unpacked or packed, and downloaded else.

    Args:
        dl_manager: `tfds.download.DownloadManager`.
        archive: The archive.
    """
    try:
        manual = Path(dl_manager.manual_dir)
    except AssertionError:  # TFDS says so that there is none
        return Path(dl_manager.download_and_extract(archive.url))
    if find_folder(manual, archive.holds):
        return manual
    packed = find_folder(manual, archive.name)
    if packed is None:
        return Path(dl_manager.download_and_extract(archive.url))
    return Path(dl_manager.extract(packed))
