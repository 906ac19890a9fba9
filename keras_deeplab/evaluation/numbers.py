"""Formatting of numbers."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """Formats a fraction, 0 to 1, in percent; a dash for None and NaN.

    Example:

    >>> percent(0.60149)
    '60.1 %'
    """
    return "\N{EN DASH}" if share is None or share != share else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Formats a time in milliseconds, or in seconds from one second on.

    Example:

    >>> duration(0.0834), duration(1.25)
    ('83 ms', '1.25 s')
    """
    return f"{1000 * seconds:.0f} ms" if seconds < 0.9995 else f"{seconds:.2f} s"
