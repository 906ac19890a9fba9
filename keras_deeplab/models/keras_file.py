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
