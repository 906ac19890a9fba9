"""Starts the backend without its start-up messages."""

from __future__ import annotations

from contextlib import AbstractContextManager

from keras_deeplab._startup import hold_stderr

# Errors that the command line reports in one line.
FORESEEN = (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError)


def quiet_start() -> AbstractContextManager[None]:
    """Suppresses what is written to standard error, except before the traceback of an error."""
    return hold_stderr(everything=True, foreseen=FORESEEN)
