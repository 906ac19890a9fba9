"""HEIC photos, as phones take them, with pillow-heif."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

_SUFFIXES = frozenset({".heic", ".heif"})
# Those that can be read here.
HEIC_SUFFIXES = _SUFFIXES if find_spec("pillow_heif") else frozenset()


def prepare_heic(suffix: str, label: str) -> None:
    """Lets Pillow read HEIC files, if `suffix` is one of theirs.

    Args:
        suffix: Suffix of the file, in lower case.
        label: The file's name for the message.

    Raises:
        ValueError: If pillow-heif is not installed.
    """
    if suffix not in _SUFFIXES:
        return
    if not HEIC_SUFFIXES:
        raise ValueError(
            f"HEIC photos need pillow-heif. Received: {label!r}. "
            f'Run: pip install "keras_deeplab[heic]"'
        )
    _register()


@cache
def _register() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
