"""TensorFlow SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.inference.runtimes.keras_runtime import device_batch_size
from keras_deeplab.inference.runtimes.saved_model_check import check_saved_model
from keras_deeplab.inference.sidecar import Opened, read_sidecar

_SIGNATURE = "serving_default"


def open_folder(path: Path) -> Opened:
    """Opens a SavedModel by its signature "serving_default".

    Raises:
        ValueError: If it is not a SavedModel, has operators that could touch files or Python, or
            does not have one input and one output.
    """
    import tensorflow as tf

    if not (path / "saved_model.pb").is_file():
        raise ValueError(
            f"The folder must be a SavedModel, with a file saved_model.pb. Received: {str(path)!r}."
        )
    check_saved_model(path)
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:
        # Damaged files raise exceptions of the protobuf reader, the graph or the file system.
        raise ValueError(
            f"The SavedModel must be complete. Received: {str(path)!r} ({error})."
        ) from error
    signatures = dict(module.signatures)
    if _SIGNATURE not in signatures:
        raise ValueError(
            f"The SavedModel must have the signature {_SIGNATURE!r}. Received: {str(path)!r} with "
            f"{sorted(signatures) or 'none'}."
        )
    function = signatures[_SIGNATURE]
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"The SavedModel must have one input and one output. Received: {str(path)!r} with "
            f"inputs {sorted(inputs)} and outputs {sorted(outputs)}."
        )
    ((key, spec),) = inputs.items()

    def run(images: np.ndarray) -> np.ndarray:
        # The function uses variables of the module, which must stay alive.
        _ = module
        result: dict[str, Any] = function(**{key: tf.cast(images, spec.dtype)})
        return next(iter(result.values())).numpy()

    shape = tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
    return Opened(run, shape, read_sidecar(path), str(path), device_batch_size())
