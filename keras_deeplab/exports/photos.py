"""Images for calibration and comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.data.images import folder_images, read_image
from keras_deeplab.inference import fit_image

_SYNTHETIC_SIZES = ((97, 129), (64, 96))
# A single photo is not representative: 8-bit labels differ most where the network is uncertain.
_COMPARED = 10
CALIBRATED = 100


def find_photos(source: Any) -> list[Any]:
    """Lists photos, at most `CALIBRATED`, evenly spaced, or raises an error without any."""
    if isinstance(source, (str, Path)):
        path = Path(source).expanduser()
        if not path.exists():
            raise FileNotFoundError(
                f"representative_data (on the shell, --calibrate) must be an existing folder of "
                f"photos. Received: {str(source)!r}."
            )
        source = folder_images(path) if path.is_dir() else [path]
    if not isinstance(source, Iterable):
        raise TypeError(
            f"representative_data must be a folder, or an iterable of photos. "
            f"Received: representative_data={source!r}."
        )
    photos = list(source)
    if not photos:
        raise ValueError(
            "representative_data (on the shell, --calibrate) must hold photos. Received: none."
        )
    step = max(1, len(photos) / CALIBRATED)
    return [photos[int(index * step)] for index in range(min(len(photos), CALIBRATED))]


def calibration_batches(
    photos: Sequence[Any], *, size: tuple[int, int], batch: int
) -> Iterator[np.ndarray]:
    """Yields float32 batches of photos resized to fit `size`, covering all levels from 0 to 255."""
    for number, photo in enumerate(photos):
        image = fit_image(read_image(photo), size).astype("float32")
        if number == 0:
            # With the full range, the levels of an 8-bit input equal those of the image.
            image[0, 0], image[-1, -1] = 0, 255
        yield np.repeat(image[None], batch, axis=0)


def sample_images(
    photos: Sequence[Any], *, size: tuple[Any, Any], usual: tuple[int, int], batch: int
) -> list[np.ndarray]:
    """Returns uint8 batches of photos, or of synthetic images, for the comparison.

    Dynamic sides of photos have the `usual` size of the network, and half of it.
    """
    if not photos:
        sizes = [
            tuple(o or f for o, f in zip(size, free, strict=True)) for free in _SYNTHETIC_SIZES
        ]
        return [_synthetic(seed, batch, sides) for seed, sides in enumerate(dict.fromkeys(sizes))]
    step = max(1, len(photos) // _COMPARED)
    batches = []
    for number, photo in enumerate(photos[::step][:_COMPARED]):
        free = usual if number % 2 == 0 else tuple(side // 2 for side in usual)
        sides = (size[0] or free[0], size[1] or free[1])
        batches.append(np.repeat(fit_image(read_image(photo), sides)[None], batch, axis=0))
    return batches


def _synthetic(seed: int, batch: int, size: tuple[int, ...]) -> np.ndarray:
    """Coloured shapes with soft edges and a little noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(*(np.linspace(0, 1, side) for side in size), indexing="ij")
    image = np.full((batch, *size, 3), 127.0)
    for one in image:
        for _ in range(8):
            centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.3)
            distance = np.hypot(rows - centre[0], columns - centre[1])
            cover = 1 / (1 + np.exp((distance - radius) * 60))[..., None]
            one += cover * (rng.uniform(0, 255, 3) - one)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype("uint8")
