"""Renames the tensors of a checkpoint to this package's arrays, each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.recognition import recognise

# PyTorch's names of batch norm variables, mapped to this package's names.
BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def rename_tensors(
    tensors: Mapping[str, np.ndarray],
    rename: Callable[[str], str | None],
    path: str | Path,
    *,
    pooled_last: bool = False,
) -> dict[str, np.ndarray]:
    """Renames all tensors and transposes kernels from PyTorch's layout to channels last.

    Args:
        tensors: Tensors by name in the checkpoint.
        rename: Function from such a name to its layer; None drops the tensor, "" marks an unknown
            name.
        path: The file, for error messages.
        pooled_last: Whether ASPP's image-level features come last in the input of its projection;
            in this package they come first.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If a tensor is unknown, occurs twice, or has an invalid shape.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        variable = name.rpartition(".")[2]
        if variable == "num_batches_tracked":
            continue
        layer = rename(name.rpartition(".")[0])
        if layer is None:
            continue
        if layer.endswith("_bn"):
            variable, rank = BATCH_NORM.get(variable, ""), 1
        else:
            variable, rank = {"weight": ("kernel", 4), "bias": ("bias", 1)}.get(variable, ("", 0))
        if not layer or not variable:
            raise ValueError(
                f"Every tensor must belong to a layer of the network. Received: {name!r} in "
                f"{path}, {recognise(tensors)}."
            )
        if tensor.ndim != rank:
            raise ValueError(
                f"The tensor {name!r} must have {rank} axes. Received: shape {tensor.shape} in "
                f"{path}."
            )
        array = tensor.astype("float32")
        if rank == 4:
            # PyTorch: (out, in, height, width); a depthwise kernel has one input per output.
            depthwise = layer.endswith("_depthwise")
            array = array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        put(arrays, f"{layer}/{variable}", array, path)
    key = "aspp_projection/kernel"
    if pooled_last and key in arrays:
        arrays[key] = np.ascontiguousarray(np.roll(arrays[key], arrays[key].shape[3], axis=2))
    return arrays


def put(arrays: dict[str, np.ndarray], key: str, array: np.ndarray, path: str | Path) -> None:
    """Adds an array.

    Raises:
        ValueError: If the key already exists.
    """
    if key in arrays:
        raise ValueError(f"Every weight must come once. Received: {key!r} twice in {path}.")
    arrays[key] = np.ascontiguousarray(array)
