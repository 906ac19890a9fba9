"""Starts the backend without its start-up messages."""

from __future__ import annotations

import io
import sys
from contextlib import AbstractContextManager

from keras_deeplab._startup import hold_stderr

# Errors that the command line reports in one line.
FORESEEN = (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError)


def replace_unknown_characters() -> None:
    """Lets standard output and error write characters that their encoding lacks, as codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def quiet_start() -> AbstractContextManager[None]:
    """Suppresses what is written to standard error, except before the traceback of an error."""
    return hold_stderr(everything=True, foreseen=FORESEEN)


def start_keras() -> None:
    """Starts Keras and its backend."""
    with quiet_start():
        import keras

        keras.ops.zeros(1)


def error_text(error: Exception) -> str:
    """Returns the line of an error, with the file's name instead of the system's number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: {str(error.filename)!r}."
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "jax", "tensorflow"):
        return (
            f"Keras must find its backend. Received: {error.name}, which is not installed. Run: "
            f"pip install {error.name}, or set KERAS_BACKEND to one that is."
        )
    return str(error)
