"""Files at web addresses, and in storage that fsspec opens: s3://, gs://, hf://, ..."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TypeGuard
from urllib.parse import unquote, urlsplit

from keras_deeplab._version import __version__

# Bytes.
PHOTO_LIMIT = 200_000_000
VIDEO_LIMIT = 4_000_000_000
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 30
_LEAST_BYTES_PER_SECOND = 300_000
_CHUNK = 1 << 20


def is_remote(path: object) -> TypeGuard[str]:
    """Whether a path is an address, such as "https://..." or "s3://..."."""
    return isinstance(path, str) and "://" in path


def is_web(path: str) -> bool:
    """Whether a path is a http or https address."""
    return path.lower().startswith(("http://", "https://"))


def remote_path(url: str) -> PurePosixPath:
    """Returns the path of an address, without its query and with its %20 as spaces."""
    if not is_web(url):
        return PurePosixPath(url.split("://", 1)[1])
    parts = urlsplit(url)
    path = PurePosixPath(unquote(parts.path))
    return path if path.name else PurePosixPath(parts.netloc)


def file_system(url: str) -> tuple[Any, str]:
    """Returns fsspec's file system of an address, and the path in it."""
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Remote storage needs fsspec and the driver of the storage, such as s3fs. Received: "
            f'{url!r}. Run: pip install "keras_deeplab[remote]" s3fs'
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"The storage must have its driver. Received: {url!r} ({error})."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"The address must be of http, https or a storage that fsspec opens. Received: "
            f"{url!r} ({error})."
        ) from error
    return system, str(path)


def copy_remote(url: str, file: BinaryIO, *, limit: int) -> None:
    """Copies the file at an address, of at most `limit` bytes, at a web address in three attempts.

    What cannot be read is a `ConnectionError`, what is larger a `ValueError`.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        file.seek(0)
        file.truncate()
        try:
            _copy_web(url, file, limit) if is_web(url) else _copy_stored(url, file, limit)
            break
        except (OSError, http.client.HTTPException) as error:
            # Client errors, such as 404, stay what they are.
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if not is_web(url) or final or attempt == _ATTEMPTS:
                raise ConnectionError(
                    f"The file must be readable. Received: {url!r} ({_reason(error)})."
                ) from error
        time.sleep(attempt)
    if file.tell() > limit:
        raise ValueError(
            f"The file must have at most {limit / 1e6:.0f} MB. Received: {url!r}, which is larger. "
            f"Download it, and pass the file."
        )


def _copy_stored(url: str, file: BinaryIO, limit: int) -> None:
    system, path = file_system(url)
    with system.open(path, "rb") as stored:
        while file.tell() <= limit and (chunk := stored.read(_CHUNK)):
            file.write(chunk)


def _copy_web(url: str, file: BinaryIO, limit: int) -> None:
    end = time.monotonic() + _TIMEOUT_SECONDS + limit / _LEAST_BYTES_PER_SECOND
    request = urllib.request.Request(url, headers={"User-Agent": f"keras-deeplab/{__version__}"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        while file.tell() <= limit and (chunk := response.read(_CHUNK)):
            file.write(chunk)
            if time.monotonic() > end:
                raise TimeoutError("too slow")
        expected = response.headers.get("Content-Length")
    if expected and file.tell() < min(int(expected), limit):
        raise ConnectionError(f"{file.tell()} of {expected} bytes")


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    code = getattr(error, "code", None)
    return f"{code} {reason}" if code else str(reason or error or type(error).__name__)
