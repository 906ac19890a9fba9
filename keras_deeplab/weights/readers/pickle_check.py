"""Refuses pickles that take far more memory than their size."""

from __future__ import annotations

import pickle
import pickletools
from typing import BinaryIO


def check_memo(file: BinaryIO, size: int) -> None:
    """Reads the operations of the next pickle of a file and returns to its start.

    Python's unpickler allocates as many entries of its memo as the largest index, which a pickle
    of a few bytes may set to billions.

    Args:
        file: A seekable file at the start of a pickle.
        size: Size of the file in bytes, which no index may exceed.

    Raises:
        pickle.UnpicklingError: If an index is too large, or the pickle is damaged.
    """
    start = file.tell()
    try:
        for operation, argument, _ in pickletools.genops(file):
            if "PUT" in operation.name and argument is not None and argument > size:
                raise pickle.UnpicklingError(f"it asks for a memo of {argument} entries")
    except ValueError as error:
        raise pickle.UnpicklingError(f"its pickle is damaged: {error}") from error
    file.seek(start)
