"""Writes the tables of a TFLite file."""

from __future__ import annotations

import flatbuffers
import numpy as np

_SHARED_BYTES = 1 << 16
_ALIGNMENT = 16


class SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once, and aligns large ones so that a runtime can map them."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802 - flatbuffers' name
        """Writes a vector and returns its offset."""
        content = x.tobytes()
        key = (x.dtype.str, content)
        if len(content) <= _SHARED_BYTES and key in self._written:
            return self._written[key]
        self.StartVector(x.itemsize, x.size, _ALIGNMENT if x.itemsize == 1 else x.itemsize)
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        offset = int(self.EndVector())
        if len(content) <= _SHARED_BYTES:
            self._written[key] = offset
        return offset
