"""Loads Keras model files."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import keras

from keras_deeplab._files import check_file, unpacked_limit

# Start of Keras's error message for a custom layer, which pages of its configuration follow.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) ('\w+')")
_LONGEST = 500


def load_keras_file(path: Path) -> keras.Model:
    """Loads a `.keras` or `.h5` file without the state of its training.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is damaged, is not a Keras model, or has unknown layers.
    """
    check_file(path, "The Keras model")
    try:
        if path.suffix.lower() == ".keras":
            _check_archive(path)
        else:
            _check_no_code(path)
        model = keras.models.load_model(path, compile=False)
    # Damaged archives, configurations and arrays raise exceptions of many types.
    except Exception as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown:
            raise ValueError(
                f"The network's layers must be known. Received: {str(path)!r} with {unknown[1]}. "
                f"Import what defines it, load the file with keras.models.load_model, and pass "
                f"the model in place of the file."
            ) from error
        words = f"{error}".strip() or type(error).__name__
        words = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} ..."
        raise ValueError(
            f"The file must be a whole Keras model. Received: {str(path)!r} ({words})."
        ) from error
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"The file must be a whole Keras model. Received: {str(path)!r}, which holds a "
            f"{type(model).__name__}."
        )
    return model


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no zip archive as .keras files are")
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > unpacked_limit(path.stat().st_size):
        raise ValueError(f"it unpacks to {size} bytes, more than a hundred times its size")


def _check_no_code(path: Path) -> None:
    # In .h5 files, some versions of Keras run the code of Lambda layers in spite of `safe_mode`.
    import h5py

    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config", "")
    text = config.decode("utf-8", "replace") if isinstance(config, bytes) else str(config)
    if re.search(r'"class_name":\s*"Lambda"|__lambda__', text):
        raise ValueError("it has a Lambda layer, whose code loading would run")
