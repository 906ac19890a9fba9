"""Starts TensorFlow without its start-up messages."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Lines of TensorFlow's C++ code about CPUs and missing GPUs, which no log level silences.
_START_UP = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
    rb"|([IWE]\d{4} |\d{4}-\d\d-\d\d ).*[ /]"
    rb"(port|util|cpu_feature_guard|computation_placer|cuda\w*)\.cc:"
)


def quiet_tensorflow() -> None:
    """Leaves TensorFlow's messages out from now on, unless the user has set its log level to 0."""
    if os.environ.setdefault(_LOG_LEVEL, "2") != "0" and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietImport())


@cache
def start_backend() -> None:
    """Runs a first operation, which initialises the devices, without its messages."""
    with hold_stderr():
        import keras

        keras.ops.zeros(1)


@contextmanager
def hold_stderr(
    *, everything: bool = False, foreseen: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Leaves start-up messages of TensorFlow, or `everything`, out of standard error.

    Python and C++ write there without a common way to filter, so the file descriptor is held until
    the block ends. What does not belong to the start-up is written then; before errors that are not
    `foreseen`, that is reported by the caller in a line of its own, all of it.
    """
    if os.environ.get(_LOG_LEVEL) == "0":
        yield
        return
    with tempfile.TemporaryFile() as held:
        try:
            sys.stderr.flush()
            saved = os.dup(2)
        except (OSError, AttributeError, ValueError):  # there is no standard error
            yield
            return
        os.dup2(held.fileno(), 2)
        drop = True
        try:
            yield
        except BaseException as error:
            drop = isinstance(error, (*foreseen, KeyboardInterrupt))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            held.seek(0)
            for line in held:
                if not drop or not (everything or _START_UP.match(line)):
                    os.write(saved, line)
            os.close(saved)


class _QuietImport(MetaPathFinder):
    """Imports TensorFlow without its messages."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                with hold_stderr():
                    run(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
