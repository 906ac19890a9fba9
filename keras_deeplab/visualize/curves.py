"""Curves of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

_PANELS = (("loss", "Loss"), ("mean_iou", "Mean IoU"), ("learning_rate", "Learning rate"))
_COLOURS = {"training": "#0096c3", "validation": "#d22d78"}


def training_curves(rows: Sequence[Mapping[str, float]]) -> bytes:
    """Draws loss, mean IoU and learning rate by epoch, for training and validation.

    Args:
        rows: One mapping per epoch, as in "log.csv" of a run: "epoch", "loss", "val_loss",
            "learning_rate" and names that end in "mean_iou". Missing values are left out.

    Returns:
        A PNG file.

    Example:

    >>> training_curves([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}])[1:4]
    b'PNG'
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    panels = curve_points(rows)
    for axis, (title, lines) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for words, points in lines.items():
            axis.plot(*zip(*points, strict=True), ".-", color=_COLOURS[words], label=words)
        if lines and title != _PANELS[-1][1]:
            axis.legend(frameon=False)
        axis.set_title(title, loc="left")
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def curve_points(
    rows: Sequence[Mapping[str, float]],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Returns (epoch, value) pairs by title of the chart and "training" or "validation"."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {title: {} for _, title in _PANELS}
    for key, title in _PANELS:
        for words, prefix in (("training", ""), ("validation", "val_")):
            points = [(row["epoch"], value) for row in rows for value in _values(row, prefix, key)]
            if points:
                found[title][words] = points
    return found


def _values(row: Mapping[str, float], prefix: str, key: str) -> list[float]:
    """Returns the value of a row, whose name may have that of an output of the network in it."""
    names = [name for name in row if name.startswith("val_") == bool(prefix)]
    exact = [name for name in names if name == prefix + key]
    return [row[name] for name in exact or names if name.endswith(key)][:1]
