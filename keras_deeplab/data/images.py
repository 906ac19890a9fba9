"""Reads photos as RGB 0-255."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_deeplab._files import check_file

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
)


def read_image(source: str | Path | Image.Image | np.ndarray | Any) -> np.ndarray:
    """Reads one photo as RGB.

    Files and PIL images are rotated according to their EXIF orientation. Transparent pixels are
    blended with white. Grey, palette and CMYK images are converted to RGB, and 16-bit levels to 8
    bits. Of an animation, the first frame is used.

    Args:
        source: Path of an image file, PIL image, or array of shape (height, width),
            (height, width, 1), (height, width, 3) or (height, width, 4) with levels 0-255
            (uint8 or float) or 0-65535 (uint16).

    Returns:
        uint8 array of shape (height, width, 3).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not an image or is damaged, or an array has an invalid shape or
            range.

    Example:

    >>> read_image(np.zeros((4, 6), "uint8")).shape
    (4, 6, 3)
    """
    if isinstance(source, (str, Path)):
        return _read_file(Path(source).expanduser())
    if isinstance(source, Image.Image):
        return _to_rgb(source, "the PIL image")
    return _array_to_rgb(np.asarray(source))


def folder_images(folder: str | Path) -> Iterator[Path]:
    """Yields the image files of a folder, sorted, without those in subfolders.

    Raises:
        ValueError: If there are no images.
    """
    paths = sorted(
        path
        for path in Path(folder).expanduser().iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    if not paths:
        raise ValueError(
            f"The folder must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}). "
            f"Received: {str(folder)!r} without any."
        )
    yield from paths


def _read_file(path: Path) -> np.ndarray:
    with image_errors(path, "The photo"), Image.open(path) as image:
        return _to_rgb(image, str(path))


@contextmanager
def image_errors(path: Path, what: str) -> Iterator[None]:
    """Converts exceptions that Pillow raises while reading a file to `ValueError`.

    A path that is not a file, such as a named pipe, is refused before it is opened.

    Args:
        path: The file.
        what: Subject of the message, such as "The photo".
    """
    check_file(path, what)
    try:
        yield
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{what} must be an image that Pillow reads, such as PNG. Received: {str(path)!r}, "
            f"{path.stat().st_size} bytes."
        ) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ValueError(f"{what} must be smaller. Received: {str(path)!r} ({error}).") from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{what} must exist. Received: {str(path)!r}.") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(
            f"{what} must be a whole file. Received: {str(path)!r}, which is damaged or cut short "
            f"({error})."
        ) from error
    except Exception as error:
        # The package's own errors name the file; Pillow's are of many types and do not.
        if isinstance(error, ValueError) and "Received:" in str(error):
            raise
        raise ValueError(
            f"{what} must be an image that Pillow reads. Received: {str(path)!r} "
            f"({type(error).__name__}: {error}). Open it in an image editor and save it again."
        ) from error


def _to_rgb(image: Image.Image, label: str) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype("int64")
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(
                f"Integer levels must be 0-65535. Received: {levels.min()} to {levels.max()} in "
                f"{label}. Scale the image to 8 bits."
            )
        return _array_to_rgb(levels.astype("uint16"))
    if image.mode == "F":
        raise ValueError(
            f"The photo must have integer levels. Received: float levels in {label}. Scale the "
            f"image to 8 bits."
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _array_to_rgb(array: np.ndarray) -> np.ndarray:
    if (
        array.ndim not in (2, 3)
        or 0 in array.shape
        or (array.ndim == 3 and array.shape[2] not in (1, 3, 4))
    ):
        raise ValueError(
            f"An image array must have shape (height, width), or (height, width, channels) with "
            f"1, 3 or 4 channels. Received: shape={array.shape}."
        )
    if array.dtype == np.uint16:
        array = np.round(array / 257).astype("uint8")
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
            raise ValueError(
                f"A float image must have finite levels 0-255. Received: {array.min()} to "
                f"{array.max()}."
            )
        if 0 < array.max() <= 1:
            raise ValueError(
                f"A float image must have levels 0-255. Received: levels up to {array.max():.3g}, "
                f"which look like 0-1. Multiply it by 255."
            )
        array = np.round(array).astype("uint8")
    elif np.issubdtype(array.dtype, np.integer):
        if array.min() < 0 or array.max() > 255:
            raise ValueError(
                f"An integer image must have levels 0-255. Received: {array.min()} to "
                f"{array.max()} of type {array.dtype}."
            )
        array = array.astype("uint8")
    else:
        raise ValueError(f"An image array must hold numbers. Received: dtype={array.dtype}.")
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 4:
        return _to_rgb(Image.fromarray(array, "RGBA"), "the array")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
