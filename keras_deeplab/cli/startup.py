"""Starts the backend without its greetings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# What the command line says in one line of its own.
FORESEEN = (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Holds back what TensorFlow's C++ side writes to standard error while it starts.

    It greets with a screenful that no log level silences, and would bury the result. What was
    held back is shown before the traceback of an error that nobody foresaw.
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
