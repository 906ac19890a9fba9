"""Argument checks with uniform messages: the requirement, the value received, the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence


def suggestion(value: object, options: Iterable[object]) -> str:
    """Returns ``" Did you mean 'x'?"`` for a near miss among ``options``, else an empty string.

    Case and punctuation do not count, and an option within the value, or around it, is near:
    "Pascal_VOC2012" means "voc".
    """
    wanted = _letters(value)
    plain = {_letters(option): str(option) for option in options}
    near = [
        name
        for name in plain
        if min(len(name), len(wanted)) > 2 and (name in wanted or wanted in name)
    ]
    near += difflib.get_close_matches(wanted, plain, n=1, cutoff=0.9 if near else 0.6)
    if not near:
        return ""
    best = max(near, key=lambda name: difflib.SequenceMatcher(None, name, wanted).ratio())
    return f" Did you mean {plain[best]!r}?"


def _letters(value: object) -> str:
    return "".join(letter for letter in str(value).casefold() if letter.isalnum())


def listed(names: Sequence[object], most: int = 6) -> str:
    """Returns names separated by commas, at most `most` of them: "a, b and 1 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def percent(share: float) -> str:
    """Returns a share, 0 to 1, in percent; what would round to zero as "<0.1%"."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def check_choice(name: str, value: object, options: Collection[object]) -> None:
    """Raises `ValueError` unless ``value`` is one of ``options``."""
    if value in options:
        return
    raise ValueError(
        f"{name} must be one of {', '.join(map(repr, options))}. Received: {name}={value!r}."
        f"{suggestion(value, options)}"
    )


def check_int(name: str, value: object, *, minimum: int) -> None:
    """Raises `TypeError` or `ValueError` unless ``value`` is an int of at least ``minimum``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(
            f"{name} must be an int. Received: {name}={value!r} of type {type(value).__name__}."
        )
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}. Received: {name}={value!r}.")
