"""Stand-ins for the objects of other libraries in a pickle; nothing is imported or executed."""

from __future__ import annotations

import pickle
import re
from typing import Any

# Nothing of what a pickle names is ever imported or run. Modules of these can't be part of a
# checkpoint, so a file that names them is refused instead of being read without them.
_SUSPECT = re.compile(
    "bdb|_*builtins?_*|code|codeop|commands|ctypes|functools|importlib|io|marshal|multiprocessing|"
    "nt|ntpath|operator|os|pickle|posix|posixpath|pty|runpy|shutil|signal|socket|subprocess|sys|"
    "tempfile|threading|timeit|torch|types|urllib|webbrowser"
)
_HARMLESS = {
    ("builtins", r"getattr|set|frozenset|slice|complex|bytearray|list|dict|tuple|int|float|range"),
    ("functools", "partial"),
    ("torch", r"Size|device|dtype|Generator|b?float\d+|u?int\d+|bool|complex\d+|\w+_format"),
}


class Inert:
    """Takes whatever a pickle gives it, and does nothing."""

    state: Any = None

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> Inert:
        return Inert()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Takes an element of a list."""

    def extend(self, values: Any) -> None:
        """Takes elements of a list."""

    def add(self, value: Any) -> None:
        """Takes an element of a set."""


def inert_class(module: str, name: str) -> type[Inert]:
    """Returns a stand-in for a class or function of another library.

    Raises:
        pickle.UnpicklingError: If it is one that no checkpoint needs and that could do harm.
    """
    top = module.partition(".")[0]
    home = "builtins" if module.startswith("__builtin") else module
    harmless = any(home == m and re.fullmatch(names, name) for m, names in _HARMLESS)
    inner = module.startswith("torch.") and module != "torch._utils"
    if _SUSPECT.fullmatch(top) and not harmless and not (inner and module != "torch.hub"):
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no tensor")
    return type(f"{module}.{name}", (Inert,), {})
