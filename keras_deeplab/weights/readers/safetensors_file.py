"""Reads safetensors files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

# Stands for bfloat16, for which NumPy has no type; such numbers become float32.
BFLOAT16 = "<u2"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": BFLOAT16,
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
        return {
            name: to_numbers(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in deserialize(content)
        }
    except (SafetensorError, KeyError) as error:
        raise ValueError(
            f"A safetensors file must be complete. Received: {path}, {len(content)} bytes "
            f"({error}). Fetch it again."
        ) from error


def to_numbers(data: bytes, dtype: str) -> np.ndarray:
    """Returns stored numbers as an array of one axis."""
    values = np.frombuffer(data, dtype)
    return (values.astype("<u4") << 16).view("<f4") if dtype == BFLOAT16 else values
