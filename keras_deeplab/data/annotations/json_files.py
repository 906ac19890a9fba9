"""Reads JSON annotation files, and what is damaged in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import Annotations

# What a file of another shape than expected raises.
DAMAGED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError)


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: If it is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error


def note_damage(annotations: Annotations, path: Path, error: Exception) -> None:
    """Adds the problem that a file cannot be read."""
    missing = f"no {error}" if isinstance(error, KeyError) else str(error)
    annotations.find(
        "error",
        "annotation file not readable",
        path,
        f"An annotation file must be complete. Received: {str(path)!r} ({missing}).",
    )


def points_of(values: Any) -> np.ndarray:
    """Returns float64 points (points, 2) from pairs, or from x and y in turn.

    Raises:
        ValueError: If these are not finite pairs.
    """
    points = np.asarray(values, "float64")
    points = points.reshape(-1, 2) if points.size % 2 == 0 else points
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError("points must be pairs of finite numbers")
    return points
