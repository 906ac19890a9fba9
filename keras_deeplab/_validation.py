"""Argument checks with uniform messages: the requirement, the value received, the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence


def suggestion(value: object, options: Iterable[object]) -> str:
    """Returns ``" Did you mean 'x'?"`` for a near miss among ``options``, else an empty string."""
    near = difflib.get_close_matches(str(value), [str(option) for option in options], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def listed(names: Sequence[object], most: int = 6) -> str:
    """Returns names separated by commas, at most `most` of them.

    Example:

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def check_choice(name: str, value: object, options: Collection[object]) -> None:
    """Raises `ValueError` unless ``value`` is one of ``options``."""
    if value in options:
        return
    listed = ", ".join(repr(option) for option in options)
    raise ValueError(
        f"{name} must be one of {listed}. Received: {name}={value!r}.{suggestion(value, options)}"
    )


def check_int(name: str, value: object, *, minimum: int) -> None:
    """Raises `TypeError` or `ValueError` unless ``value`` is an int of at least ``minimum``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(
            f"{name} must be an int. Received: {name}={value!r} of type {type(value).__name__}."
        )
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}. Received: {name}={value!r}.")
