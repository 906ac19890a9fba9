"""Recognises image files whose compression changes pixel values."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image


def lossy_compression(image: Image.Image, path: Path) -> str | None:
    """Returns the name of the lossy compression of an opened file, or None for lossless files.

    AVIF and HEIC count as lossy: their files do not say whether the colours were converted.
    """
    kind = str(image.format)
    if kind in ("JPEG", "MPO", "AVIF", "HEIF"):
        return kind
    if kind == "TIFF":
        inner = str(image.info.get("compression"))
        return f"TIFF with {inner} compression" if inner in ("jpeg", "tiff_jpeg", "webp") else None
    if kind == "WEBP" and b"VP8 " in _webp_chunks(path.read_bytes()):
        return "lossy WebP"
    if kind == "JPEG2000" and _is_irreversible(path.read_bytes()):
        return "lossy JPEG 2000"
    return None


def _webp_chunks(content: bytes, start: int = 12) -> Iterator[bytes]:
    """Yields the names of the chunks, those of an animation's frames too."""
    while start + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, start)
        if name == b"ANMF":
            yield from _webp_chunks(content[start + 24 : start + 8 + size], 0)
        yield name
        start += 8 + size + size % 2


def _is_irreversible(content: bytes) -> bool:
    # Last byte of the marker segment COD: the wavelet, 0 for 9-7 (irreversible), 1 for 5-3.
    start = content.find(b"\xff\x52")
    return content[start + 13 : start + 14] == b"\0"
