"""Reads safetensors files: a JSON header, then raw little-endian arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all tensors of a safetensors file.

    Raises:
        ValueError: If the file is not safetensors, or is damaged or cut short.
        FileNotFoundError: If there is no such file.

    Reference:
        https://huggingface.co/docs/safetensors, "Format".
    """
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        if not 8 < start <= len(content):
            raise ValueError(f"the header ends at byte {start}")
        header = json.loads(content[8:start])
        return {
            name: _tensor(content[start:], **entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"A safetensors file must be whole: the header's length in 8 bytes, a JSON header, the "
            f"tensors. Received: {path}, {len(content)} bytes ({error}). Fetch it again."
        ) from error


def _tensor(data: bytes, *, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    begin, end = data_offsets
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"a tensor lies in bytes {begin} to {end} of {len(data)}")
    return np.frombuffer(data[begin:end], _DTYPES[dtype]).reshape(shape)
