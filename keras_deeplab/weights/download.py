"""Locates weights files in the package, a mirror or the cache, or downloads them."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files as package_files
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from keras_deeplab.presets.weights import WEIGHTS, WeightsRow

_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
# A download may have at most these bytes if the size of the file is not known. It must receive at
# least _SLOWEST bytes per second on average, after the first _GRACE_SECONDS.
_MOST_BYTES = 2_000_000_000
_SLOWEST, _GRACE_SECONDS = 10_000, 30.0
# Folders of downloads that are older belong to processes that were killed.
_PREFIX, _STALE_SECONDS = ".download-", 24 * 3600.0
_logger = logging.getLogger("keras_deeplab")


def cache_folder() -> Path:
    """Returns the folder of downloaded weights.

    It is the value of the environment variable `KERAS_DEEPLAB_CACHE`, or else the folder
    `keras_deeplab` in Keras's folder (`KERAS_HOME`, or `~/.keras`).
    """
    if folder := os.environ.get("KERAS_DEEPLAB_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras_deeplab"


def file_sha256(path: str | Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_file(row: WeightsRow, *, progressbar: bool = True) -> Path:
    """Returns a verified local copy of a weights file; downloads it if necessary.

    The search order is: the package (rows without url), the mirror in the environment variable
    `KERAS_DEEPLAB_MIRROR` (a folder, or a url prefix of the same file names), the cache folder, the
    published url. Files are verified before use and get their final name only when complete. If no
    hash was published, the hash of the first download is recorded in the cache folder, as
    `{file}.sha256`, and checked from then on.

    Raises:
        ValueError: If a file in the package or in the mirror folder has a wrong hash.
        FileNotFoundError: If the mirror folder does not exist.
        ConnectionError: If all download attempts fail or have a wrong hash.
        OSError: If the cache folder is not writable.
    """
    if row.url is None:
        bundled = Path(str(package_files("keras_deeplab"))) / "weights" / "bundled" / row.file
        return _verified(bundled, row)
    mirror = os.environ.get("KERAS_DEEPLAB_MIRROR", "")
    url = row.url
    if mirror.startswith(("http://", "https://")):
        url = f"{mirror.rstrip('/')}/{row.file}"
    elif mirror:
        folder = Path(mirror).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(
                f"KERAS_DEEPLAB_MIRROR must be an existing folder or a url. Received: {mirror!r}."
            )
        if (folder / row.file).is_file():
            return _verified(folder / row.file, row)
    path = cache_folder() / row.file
    if path.is_file():
        received, known = file_sha256(path), _known_hash(row)
        if received.startswith(known):
            if not known:
                _record_hash(path, received, row)
            return path
        _logger.warning("%s is damaged; it is downloaded again.", path)
    _download(url, path, row, progressbar=progressbar)
    return path


def check_published(path: Path) -> None:
    """Checks a local file that has the name of a published one.

    Most formats of weights have no checksums, so a damaged file may be read as other weights.

    Raises:
        ValueError: If the hash of the published file is known and the file has another one.
    """
    for row in WEIGHTS.values():
        if row.file == path.name and row.sha256 is not None:
            if not (received := file_sha256(path)).startswith(row.sha256):
                raise ValueError(
                    f"A file of this name must be the published one of {row.name!r}, with the "
                    f"SHA-256 {row.sha256}. Received: {str(path)!r} with {received}. Fetch it "
                    f"again, or rename it if it is another one."
                )
            return


def _hash_record(row: WeightsRow) -> Path:
    return cache_folder() / f"{row.file}.sha256"


def _known_hash(row: WeightsRow) -> str:
    """Returns the required start of a file's SHA-256: published, recorded, or ""."""
    if row.sha256 is not None:
        return row.sha256
    record = _hash_record(row)
    return record.read_text().strip() if record.is_file() else ""


def _verified(path: Path, row: WeightsRow) -> Path:
    received, known = file_sha256(path), _known_hash(row)
    if not received.startswith(known):
        begins = " (begins with)" if len(known) < len(received) else ""
        origin = "" if row.sha256 else f", recorded in {_hash_record(row)}"
        raise ValueError(
            f"{path} must have the SHA-256 {known}{begins} of {row.name!r}{origin}. "
            f"Received: {received}. Put the published file there."
        )
    if not known:
        _record_hash(path, received, row)
    return path


def _record_hash(path: Path, received: str, row: WeightsRow) -> None:
    """Records the hash of a first file, which must be of the published size and no web page."""
    with path.open("rb") as content:
        page = content.read(512).lstrip()[:1] == b"<"
    if page or path.stat().st_size != (row.num_bytes or path.stat().st_size):
        raise ValueError(
            f"{path.name} must be the weights {row.name!r}"
            f"{f' of {row.num_bytes} bytes' if row.num_bytes else ''}. Received: "
            f"{'a web page' if page else 'a file'} of {path.stat().st_size} bytes in {path.parent}."
        )
    record = _hash_record(row)
    _logger.warning(
        "No hash of %s was published: %s is recorded and holds from now on.", row.file, received
    )
    with _cache_errors(record.parent):
        record.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=record.parent, delete=False) as file:
            file.write(received + "\n")
        os.replace(file.name, record)


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"The cache folder must be writable. Received: {folder} ({error}). Set the "
            f"environment variable KERAS_DEEPLAB_CACHE to a folder that is."
        ) from error


def _download(url: str, path: Path, row: WeightsRow, *, progressbar: bool) -> None:
    import pooch

    with _cache_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        folder = tempfile.mkdtemp(dir=path.parent, prefix=_PREFIX)
    pooch.get_logger().setLevel("WARNING")
    failures = []
    try:
        for attempt in range(_ATTEMPTS):
            time.sleep(attempt * _PAUSE_SECONDS)
            try:
                fetched = Path(folder, f"attempt-{attempt}")
                with fetched.open("wb") as file:
                    bounded = _Bounded(file, row.num_bytes)
                    pooch.HTTPDownloader(progressbar=progressbar)(url, bounded, None)
                received, known = file_sha256(fetched), _known_hash(row)
                if not received.startswith(known):
                    raise ValueError(f"a file with the hash {received}, not {known}")
                if not known:
                    _record_hash(fetched, received, row)
                os.replace(fetched, path)
                return
            except Exception as error:  # transports raise many different exceptions; retry
                failures.append(f"{type(error).__name__}: {_first_cause(error)}")
        raise ConnectionError(
            f"The weights {row.name!r} could not be downloaded in {_ATTEMPTS} attempts. "
            f"Received from {urlsplit(url).netloc}: {failures[-1]}. Without internet access, "
            f"fetch {row.url} elsewhere, put it into a folder and set the environment variable "
            f"KERAS_DEEPLAB_MIRROR to that folder.{_without_download(row)}"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Bounded:
    """A file to be downloaded into that ends a download which is too long or too slow.

    Args:
        file: The file to write to.
        num_bytes: Expected size. None: unknown.
    """

    def __init__(self, file: BinaryIO, num_bytes: int | None) -> None:
        self._file = file
        self._most = _MOST_BYTES if num_bytes is None else num_bytes
        self._start = time.monotonic()
        self._received = 0

    def write(self, content: bytes) -> int:
        self._received += len(content)
        if self._received > self._most:
            raise ValueError(f"more than the {self._most} bytes that the file may have")
        seconds = time.monotonic() - self._start - _GRACE_SECONDS
        if seconds > 0 and self._received < seconds * _SLOWEST:
            raise TimeoutError(f"{self._received} bytes in {seconds + _GRACE_SECONDS:.0f} s")
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _sweep(folder: Path) -> None:
    """Removes what downloads that were killed have left, unless it may be in use."""
    for left in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left)


def _first_cause(error: BaseException) -> BaseException:
    """Returns the root cause of an error, which transports wrap several times."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _without_download(row: WeightsRow) -> str:
    for other in WEIGHTS.values():
        if other.url is None and other.dataset == row.dataset:
            return f" {other.name!r} has the same classes and needs no download."
    return ""
