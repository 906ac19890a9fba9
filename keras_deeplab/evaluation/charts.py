"""Charts of the report, as inline SVG in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from keras_deeplab.evaluation.numbers import percent

_CELL, _LABEL_WIDTH, _LETTER = 26, 8, 6.2
_MOST_NUMBERED = 30
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 320, 60, 44, 12, 12


def heat_map(matrix: np.ndarray, names: Sequence[str]) -> str:
    """Draws a confusion matrix with rows normalised by the true pixels.

    Args:
        matrix: Pixels by true label (row) and predicted label.
        names: Names by label id.
    """
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    cell = _CELL if len(names) <= _MOST_NUMBERED else _CELL / 2
    font = 11 if len(names) <= _MOST_NUMBERED else 8
    margin = _LABEL_WIDTH + font * _LETTER / 11 * max(len(name) for name in names)
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
        if len(names) <= _MOST_NUMBERED and share >= 0.01:
            strong = " strong" if share > 0.45 else ""
            parts.append(
                f'<text class="number{strong}" x="{x + cell / 2:.1f}" y="{y + cell / 2:.1f}">'
                f"{100 * share:.0f}</text>"
            )
    size = margin + side + 4
    return (
        f'<svg class="map" role="img" aria-label="Confusion of the classes, in percent of the true '
        f'pixels; the largest are in the table below" viewBox="0 0 {size:.0f} {size:.0f}" '
        f'width="{size:.0f}" font-size="{font}">{"".join(parts)}</svg>'
    )


def curves(lines: Sequence[tuple[str, str, np.ndarray]], *, label: str) -> str:
    """Draws shares over the widths 1, 2, ... of a band.

    Args:
        lines: CSS class, name and values of each line; NaN is skipped.
        label: Description of the chart for screen readers.
    """
    values = np.concatenate([line for _, _, line in lines])
    values = values[~np.isnan(values)]
    low = np.floor(values.min() * 20 - 0.2) / 20 if values.size else 0
    high = np.ceil(values.max() * 20 + 0.2) / 20 if values.size else 1
    low, high = max(low, 0), min(high, 1)
    widths = max(len(line) for _, _, line in lines)

    def x(width: float) -> float:
        return _LEFT + (width - 1) / max(widths - 1, 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(share: float) -> float:
        return _TOP + (high - share) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    step = 0.05 if high - low <= 0.4 else 0.1
    for k in range(round(low / step), round(high / step) + 1):
        share = k * step
        if low - 1e-9 <= share <= high + 1e-9:
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(share):.1f}" '
                f'y2="{y(share):.1f}"/><text class="end" x="{_LEFT - 6}" y="{y(share):.1f}">'
                f"{100 * share:.0f} %</text>"
            )
    ticks = [1, *range(5, widths + 1, 5)] if widths >= 5 else range(1, widths + 1)
    for width in ticks:
        parts.append(
            f'<text class="middle" x="{x(width):.1f}" y="{_HEIGHT - _BOTTOM + 16}">{width}</text>'
        )
    parts.append(
        f'<text class="middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}">'
        f"width of the band around the true borders, pixels</text>"
    )
    for style, name, line in lines:
        points = " ".join(
            f"{x(i + 1):.1f},{y(value):.1f}" for i, value in enumerate(line) if value == value
        )
        parts.append(
            f'<polyline class="{style}" points="{points}"><title>{escape(name)}</title></polyline>'
        )
    return (
        f'<svg class="curves" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'
    )
