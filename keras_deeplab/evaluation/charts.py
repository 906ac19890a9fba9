"""Charts of the report, as inline SVG in the colours of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

import numpy as np

from keras_deeplab.evaluation.page import percent

_CELL, _LABEL_WIDTH, _LETTER = 26, 8, 6.2
_MOST_NUMBERED = 30
_SMALLEST = 0.7
_BOTTOM, _TOP, _RIGHT = 50, 14, 20


class Line(NamedTuple):
    """A curve: CSS class, name, and points (x, y), of which NaN and infinity are skipped."""

    style: str
    name: str
    points: Sequence[tuple[float, float]]


def heat_map(matrix: np.ndarray, names: Sequence[str]) -> str:
    """Draws a confusion matrix, normalised by the true pixels (rows), of the classes that occur."""
    occurs = np.flatnonzero(matrix.sum(0) + matrix.sum(1))
    matrix, names = matrix[np.ix_(occurs, occurs)], [names[int(label)] for label in occurs]
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    numbered = len(names) <= _MOST_NUMBERED
    cell = max(_CELL, min(40, 320 // max(len(names), 1))) if numbered else _CELL // 2
    font = 11 if numbered else 8
    margin = _LABEL_WIDTH + font * _LETTER / 11 * max(map(len, names), default=0)
    side = cell * len(names)
    parts = [
        f'<rect class="plate" x="{margin:.1f}" y="{margin:.1f}" width="{side}" height="{side}"/>'
    ]
    for i, name in enumerate(names):
        middle = margin + (i + 0.5) * cell
        text = escape(name)
        parts.append(
            f'<text x="{margin - 6:.1f}" y="{middle:.1f}" class="end">{text}</text>'
            f'<text transform="translate({middle:.1f} {margin - 6:.1f}) rotate(-90)">{text}</text>'
        )
    for i, j in zip(*np.nonzero(shares >= 0.001), strict=True):
        share = shares[i, j]
        x, y = margin + j * cell, margin + i * cell
        title = f"{names[i]} predicted as {names[j]}: {percent(share)} of its pixels"
        if i == j:
            title = f"{names[i]}: {percent(share)} of its pixels are correct"
        parts.append(
            f'<rect class="{"right" if i == j else "wrong"}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{cell}" height="{cell}" fill-opacity="{share**0.6:.3f}">'
            f"<title>{escape(title)}</title></rect>"
        )
        if numbered and share >= 0.01:
            strong = " strong" if share > 0.45 else ""
            parts.append(
                f'<text class="number{strong}" x="{x + cell / 2:.1f}" y="{y + cell / 2:.1f}">'
                f"{100 * share:.0f}</text>"
            )
    size = margin + side + 4
    return (
        f'<svg class="map" role="img" aria-label="Confusion of the classes, in percent of the true '
        f'pixels; the largest are in the table below" viewBox="0 0 {size:.0f} {size:.0f}" '
        f'width="{size:.0f}" style="min-width:{size * _SMALLEST:.0f}px" font-size="{font}">'
        f"{''.join(parts)}</svg>"
    )


def curves(
    lines: Sequence[Line],
    *,
    label: str,
    across: str,
    size: tuple[int, int] = (320, 640),
    form: Callable[[float], str] = lambda value: f"{value:g}",
) -> str:
    """Draws lines over integers, such as epochs or the widths of a band.

    `label` describes the chart to screen readers, `across` is the title of the horizontal axis, and
    `form` writes a value of the vertical one.
    """
    height, width = size
    points = [point for line in lines for point in line.points if isfinite(point[1])]
    first, last = min((x for x, _ in points), default=0), max((x for x, _ in points), default=1)
    step, (low, high) = _axis([y for _, y in points] or [0.0, 1.0])
    ticks = [k * step for k in range(round(low / step), round(high / step) + 1)]
    # Wide enough for the larger letters on phones.
    left = 14 + max(len(form(tick)) for tick in ticks) * width // 52

    def x(value: float) -> float:
        return left + (value - first) / max(last - first, 1) * (width - left - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (height - _TOP - _BOTTOM)

    parts = [
        f'<line class="grid" x1="{left}" x2="{width - _RIGHT}" y1="{y(tick):.1f}" '
        f'y2="{y(tick):.1f}"/><text class="end" x="{left - 6}" y="{y(tick):.1f}">'
        f"{escape(form(tick))}</text>"
        for tick in ticks
    ]
    apart = max(1, round(_nice(max(last - first, 1) * 56 / width)))
    for whole in sorted({first, *range(int(first // apart + 1) * apart, int(last) + 1, apart)}):
        parts.append(
            f'<text class="middle" x="{x(whole):.1f}" y="{height - _BOTTOM + 16}">'
            f"{whole:.0f}</text>"
        )
    parts.append(
        f'<text class="middle" x="{(left + width - _RIGHT) / 2}" y="{height - 13}">'
        f"{escape(across)}</text>"
    )
    for line in lines:
        drawn = [f"{x(at):.1f},{y(value):.1f}" for at, value in line.points if isfinite(value)]
        # Twice the same point is a dot.
        parts.append(
            f'<polyline class="{line.style}" points="{" ".join(drawn * (1 + (len(drawn) == 1)))}">'
            f"<title>{escape(line.name)}</title></polyline>"
        )
    return (
        f'<svg class="curves" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )


def _axis(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Returns the distance of the ticks and the limits; shares stay between 0 and 1."""
    least, most = min(values), max(values)
    step = _nice(max(most - least, abs(most) / 20, 1e-9) / 5)
    low, high = floor(least / step - 0.2) * step, ceil(most / step + 0.2) * step
    return step, (low if least < 0 else max(low, 0.0), high if most > 1 else min(high, 1.0))


def _nice(least: float) -> float:
    """Returns the smallest of 1, 2, 5, 10, ..., or of their decimal fractions, that is enough."""
    unit = 10.0 ** floor(log10(least))
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit > least * (1 - 1e-9))
