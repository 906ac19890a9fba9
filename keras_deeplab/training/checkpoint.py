"""Checkpoints of the complete training state, written atomically."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_deeplab._files import make_folder, write_atomically

_KEPT = 2
_META = "__run__"


def save_checkpoint(folder: Path, model: keras.Model, *, epoch: int, run: dict[str, Any]) -> Path:
    """Writes all variables of a compiled model and its optimizer, and JSON values of the run.

    The file gets its final name only when it is complete.
    """
    make_folder(folder)
    path = folder / f"epoch_{epoch:06d}.npz"
    arrays = {
        f"{index:05d} {variable.path}": keras.ops.convert_to_numpy(variable.value)
        for index, variable in enumerate(_variables(model))
    }
    with write_atomically(path) as partial:
        np.savez(partial, allow_pickle=False, **{_META: np.array(json.dumps(run))}, **arrays)
    for old in checkpoints(folder)[:-_KEPT]:
        old.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints of a folder, oldest first."""
    found = folder.glob("epoch_*.npz")
    return sorted(path for path in found if re.fullmatch(r"epoch_\d+", path.stem))


def restore_checkpoint(path: Path, model: keras.Model) -> tuple[int, dict[str, Any]]:
    """Restores a checkpoint into a compiled model and its built optimizer.

    Returns:
        The number of completed epochs, and the saved ``run``.

    Raises:
        ValueError: If the file does not belong to this model and optimizer, or is damaged.
    """
    try:
        # NumPy does not close files that it cannot read.
        with path.open("rb") as stream, np.load(stream) as file:
            arrays = {key: file[key] for key in file.files}
        run = json.loads(str(arrays.pop(_META)))
    except Exception as error:  # zipfile, zlib and NumPy raise different exceptions
        raise ValueError(
            f"A checkpoint must be a complete file. Received: {path}, which is damaged ({error}). "
            f"Delete it: the run resumes from the one before."
        ) from error
    variables = list(_variables(model))
    shapes = [tuple(variable.shape) for variable in variables]
    if [array.shape for array in arrays.values()] != shapes:
        raise ValueError(
            f"{path} must belong to this network and optimizer. Received: a checkpoint of "
            f"{len(arrays)} variables for {len(variables)}, or of other shapes. Choose another "
            f"folder, or build the network as it was."
        )
    for variable, array in zip(variables, arrays.values(), strict=True):
        variable.assign(array)
    return int(path.stem.removeprefix("epoch_")), run


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
