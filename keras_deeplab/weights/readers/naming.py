"""Renames the tensors of a checkpoint to this package's arrays, each exactly once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.recognition import recognise

# A regular expression for the names of modules, and their layer with the groups of the match. There
# "<\1-1>" is the number of a group, or the place of a letter in the alphabet, less 1. The layer
# None: modules that are dropped.
Rules = Sequence[tuple[str, str | None]]

# PyTorch's names of variables, mapped to this package's names.
_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_CONVOLUTION = {"weight": "kernel", "bias": "bias"}


def layer_of(module: str, rules: Rules) -> str | None:
    r"""Returns the layer of a module by the first rule that matches its whole name, "" by none.

    Example:

    >>> layer_of("layer2.0.conv1", [(r"layer(\d)\.0\.conv1", r"stage_<\1-1>")])
    'stage_1'
    """
    for pattern, layer in rules:
        if match := re.fullmatch(pattern, module):
            return layer and re.sub(r"<(\w+)([+-]\d)>", _shifted, match.expand(layer))
    return ""


def _shifted(term: re.Match[str]) -> str:
    number = int(term[1]) if term[1].isdigit() else ord(term[1]) - ord("a")
    return str(number + int(term[2]))


def rename_tensors(
    tensors: Mapping[str, np.ndarray], rules: Rules, path: str | Path
) -> dict[str, np.ndarray]:
    """Renames all tensors and transposes kernels from PyTorch's layout to channels last.

    Args:
        tensors: Tensors by name in the checkpoint.
        rules: Layers of its modules; batch norms, which have statistics, get "_bn" in addition.
        path: The file, for error messages.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If a tensor is unknown, occurs twice, or has an invalid shape.
    """
    arrays: dict[str, np.ndarray] = {}
    norms = {name.rpartition(".")[0] for name in tensors if ".running_" in name}
    for name, tensor in tensors.items():
        module, _, ending = name.rpartition(".")
        layer = layer_of(module, rules)
        if layer is None or ending == "num_batches_tracked":
            continue
        variable = (_BATCH_NORM if module in norms else _CONVOLUTION).get(ending)
        if not layer or not variable:
            raise ValueError(
                f"Every tensor must belong to a layer of the network. Received: {name!r} in "
                f"{path}, {recognise(tensors)}."
            )
        rank = 4 if variable == "kernel" else 1
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
        put(arrays, f"{layer}{'_bn' * (module in norms)}/{variable}", array, path)
    return arrays


def put(arrays: dict[str, np.ndarray], key: str, array: np.ndarray, path: str | Path) -> None:
    """Adds an array.

    Raises:
        ValueError: If the key already exists.
    """
    if key in arrays:
        raise ValueError(f"Every weight must come once. Received: {key!r} twice in {path}.")
    arrays[key] = np.ascontiguousarray(array)


def reverse_channels(arrays: dict[str, np.ndarray]) -> None:
    """Reverses the input channels of the first kernel, of VGG or ResNet, from BGR to RGB."""
    for first in ("conv1_1/kernel", "stem/kernel"):
        if first in arrays:
            arrays[first] = np.ascontiguousarray(arrays[first][:, :, ::-1])
