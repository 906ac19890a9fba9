"""Reads label masks: one class id per pixel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError


def read_mask(path: str | Path, label_map: Mapping[int, int] | None = None) -> np.ndarray:
    """Reads a mask as class ids.

    The ids are the pixel values of a grey image, or the palette indices of a palette image, as
    VOC's are.

    Args:
        path: Image file with one channel.
        label_map: Class id by pixel value of the file; values that it lacks stay.

    Returns:
        Array of shape (height, width), uint8, or uint16 where the file has 16 bits.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an image of one channel, or is damaged.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"A mask must be an image that Pillow reads, such as PNG. Received: {str(path)!r}."
        ) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"The mask must exist. Received: {str(path)!r}.") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(
            f"A mask must be a whole file. Received: {str(path)!r}, which is damaged or cut short "
            f"({error})."
        ) from error
    if labels.ndim != 2:
        raise ValueError(
            f"A mask must have one channel of class ids, grey or palette. Received: {str(path)!r} "
            f"of shape {labels.shape}."
        )
    if labels.dtype != np.uint8:
        labels = labels.astype("uint8" if labels.dtype == bool else "uint16")
    if label_map:
        table = np.arange(np.iinfo(labels.dtype).max + 1, dtype=labels.dtype)
        table[list(label_map)] = list(label_map.values())
        labels = table[labels]
    return labels
