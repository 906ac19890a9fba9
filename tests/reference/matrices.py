"""Matrices of tests, of which a few cells run every time and all of them under ``-m slow``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def matrix(values: Iterable[Any], *fast: Any) -> list[Any]:
    """Returns the values as parameters of a test, all but those of `fast` marked as slow."""
    values = list(values)
    missing = [value for value in fast if value not in values]
    if missing:
        raise ValueError(f"fast must be among the values. Received: {missing}.")
    return [
        value if value in fast else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]
