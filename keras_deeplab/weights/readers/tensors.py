"""Reads the tensors of PyTorch's networks, from whichever file they are in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.safetensors_file import read_safetensors
from keras_deeplab.weights.readers.torch_file import read_torch_file


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a file of `torch.save` or safetensors; its content says which it is.

    Raises:
        ValueError: If the file is neither, or is damaged.
        FileNotFoundError: If the file does not exist.
    """
    with open(path, "rb") as file:
        # A safetensors file begins with the length of its JSON header.
        safetensors = file.read(9)[8:] == b"{" or Path(path).suffix == ".safetensors"
    return read_safetensors(path) if safetensors else read_torch_file(path)
