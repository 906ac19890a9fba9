"""Loads Keras model files."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras

from keras_deeplab._files import check_file, unpacked_limit

# Start of Keras's error message for a custom layer, which pages of its configuration follow.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) ('\w+')")
_LONGEST = 500
_SECONDS, _BYTES_PER_SECOND = 30.0, 10e6
_READ_H5 = """
import sys, h5py
def read(name, item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset):
        item[()]
with h5py.File(sys.argv[1], "r") as file:
    config = file.attrs.get("model_config", "")
    file.visititems(read)
text = config.decode("utf-8", "replace") if isinstance(config, bytes) else str(config)
sys.stdout.buffer.write(text.encode("utf-8", "replace"))
"""


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
            _check_h5(path)
        model = keras.models.load_model(path, compile=False)
        if not isinstance(model, keras.Model):
            raise TypeError(f"it holds a {type(model).__name__}")
        return model
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
            f"The file must be a valid Keras model. Received: {str(path)!r} ({words})."
        ) from error


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no zip archive as .keras files are")
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > unpacked_limit(path.stat().st_size):
        raise ValueError(f"it unpacks to {size} bytes, more than a hundred times its size")


def _check_h5(path: Path) -> None:
    """Reads a file in a child process, because HDF5 may hang or crash on damaged ones."""
    limit = _SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    try:
        run = subprocess.run(
            [sys.executable, "-c", _READ_H5, str(path)],
            capture_output=True,
            encoding="utf-8",
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"reading it takes more than {limit:.0f} s") from error
    if run.returncode:
        raise ValueError((run.stderr.strip() or "HDF5 crashes").splitlines()[-1])
    # Some versions of Keras run the code of Lambda layers in .h5 files in spite of `safe_mode`.
    if re.search(r'"class_name":\s*"Lambda"|__lambda__', run.stdout):
        raise ValueError("it has a Lambda layer, whose code loading would run")
