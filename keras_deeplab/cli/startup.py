"""Starts the backend without its start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Warnings that the command line replaces by a one-line message.
FORESEEN = (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Suppresses what TensorFlow's C++ code writes to standard error while it starts.

    No log level silences these messages, which would hide the result. They are shown before the
    traceback of an unexpected error.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (*FORESEEN, KeyboardInterrupt):
            raise
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
