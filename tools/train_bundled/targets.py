"""Soft labels without what is known to be false."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CLASSES = 21
# A class that covers less of a photo than this was not found by the teacher.
_FOUND = 0.002


def corrected(soft: np.ndarray, *, present: Sequence[int], absent: Sequence[int]) -> np.ndarray:
    """Strikes out classes that a photo does not show.

    The rest of a pixel's probability takes their place; where hardly any is left, background does.
    Where a class that is present was not found, pixels of background are unknown.

    Args:
        soft: Probabilities of shape (height, width, classes).
        present: Classes that the photo shows.
        absent: Classes that it does not show.

    Returns:
        Probabilities of the same shape that sum to 1, or to 0 where nothing is known.
    """
    soft = soft.copy()
    soft[..., list(absent)] = 0
    rest = soft.sum(-1, keepdims=True)
    soft /= np.maximum(rest, 1e-6)
    struck = rest[..., 0] < 0.1
    soft[struck] = np.eye(CLASSES, dtype=soft.dtype)[0]
    best = soft.argmax(-1)
    if any((best == label).mean() < _FOUND for label in present):
        soft[best == 0] = 0
    return soft


def plain_frames(count: int, size: int = 321) -> list[np.ndarray]:
    """Returns images that show nothing: single colours, noise, gradients, blurred spots."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(count):
        first, second = rng.uniform(0, 255, (2, 3))
        kind = number % 6
        if kind == 0:
            frame = np.full((size, size, 3), [0, 255, 128][number // 6 % 3])
        elif kind == 1:
            frame = np.broadcast_to(first, (size, size, 3))
        elif kind == 2:
            frame = rng.uniform(0, 255, (size, size, 3))
        elif kind == 3:
            ramp = np.linspace(0, 1, size)[:, None]
            ramp = np.broadcast_to(ramp if number % 12 < 6 else ramp.T, (size, size))[..., None]
            frame = first * ramp + second * (1 - ramp)
        elif kind == 4:
            frame = rng.normal(first, 20, (size, size, 3))
        else:
            cells = rng.uniform(0, 255, (rng.integers(3, 12), rng.integers(3, 12), 3))
            rows, columns = (np.arange(size) * side // size for side in cells.shape[:2])
            frame = cells[rows[:, None], columns]
            for axis in (0, 1):
                frame = sum(np.roll(frame, shift, axis) for shift in range(-12, 13)) / 25
        frames.append(np.clip(frame, 0, 255).astype("uint8"))
    return frames
