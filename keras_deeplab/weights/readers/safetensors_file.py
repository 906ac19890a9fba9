"""Reads safetensors files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

# NumPy has no type for BF16, which is converted to float32.
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "U8": "u1",
}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all tensors of a safetensors file; those of bfloat16 become float32.

    Raises:
        ValueError: If the file is not safetensors, or is damaged or truncated.
        FileNotFoundError: If the file does not exist.
    """
    content = Path(path).read_bytes()
    try:
        tensors = deserialize(content)
        return {name: _array(**entry) for name, entry in tensors}
    except (SafetensorError, KeyError) as error:
        raise ValueError(
            f"A safetensors file must be complete. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error


def _array(dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    values = np.frombuffer(data, _DTYPES[dtype])
    if dtype == "BF16":
        values = (values.astype("<u4") << 16).view("<f4")
    return values.reshape(shape)
