"""Reader of the bundled weights files: arrays by name, with kernels in float16."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from keras_deeplab._files import unpacked_limit


def convert_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a `.npz` file of arrays by "layer/variable".

    Args:
        path: File written by `write_arrays`.

    Returns:
        float32 arrays.

    Raises:
        ValueError: If the file is not a .npz file or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > unpacked_limit(Path(path).stat().st_size):
            raise ValueError(f"{unpacked} bytes, more than a hundred times its size, unpacked")
        # NumPy does not close files that it cannot read.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name].astype("float32") for name in file.files}
    except Exception as error:  # zipfile, zlib and NumPy raise different exceptions
        raise ValueError(
            f"The weights must be a valid .npz file. Received: {str(path)!r} ({error}). Install "
            f"keras_deeplab again."
        ) from error


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays by "layer/variable": kernels in float16, vectors in float32.

    Vectors add little to the file size, and variances of batch norm may be too small for float16.

    Raises:
        ValueError: If a value is not finite, or overflows float16.
    """
    rounded = {
        name: array.astype("float16" if array.ndim > 1 else "float32")
        for name, array in arrays.items()
    }
    for name, array in rounded.items():
        if not np.isfinite(array).all():
            raise ValueError(f"Weights must be finite. Received: {name} with values that are not.")
    np.savez_compressed(path, allow_pickle=False, **rounded)
