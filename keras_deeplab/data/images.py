"""Reads photos as RGB 0-255."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_deeplab._files import check_file
from keras_deeplab._validation import listed
from keras_deeplab.data.heic import HEIC_SUFFIXES, prepare_heic
from keras_deeplab.data.remote import is_remote, remote_image

# What Pillow reads as raster images. Its registry also lists documents and data files.
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif",
    ".tiff", ".gif", ".avif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".pcx", ".sgi", ".rgb", ".ras", ".psd", ".qoi", ".ico",
} | HEIC_SUFFIXES)  # fmt: skip
# Files of other kinds that are often in a folder of photos.
_OTHER_SUFFIXES = frozenset({
    ".txt", ".json", ".jsonl", ".xml", ".csv", ".tsv", ".md", ".yaml", ".yml", ".html", ".log",
    ".ini", ".db", ".py", ".ipynb", ".mat", ".npy", ".npz", ".url", ".zip",
})  # fmt: skip
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A photo of 16 bits whose brightest level is below this, of 255, probably has 14 bits or fewer.
DARK = 65
_MOST_WARNINGS = 20
_warned: set[str] = set()
_logger = logging.getLogger("keras_deeplab")


def read_image(source: str | Path | Image.Image | np.ndarray | Any) -> np.ndarray:
    """Reads one photo as RGB.

    Files and PIL images are rotated according to their EXIF orientation. Transparent pixels are
    blended with white. Grey, palette and CMYK images are converted to RGB, and 16-bit levels to 8
    bits; if these use less than a quarter of their range, a warning is logged. Of an animation, the
    first frame is used.

    Args:
        source: Path or address ("https://...", "s3://...") of an image file, PIL image, or array
            of shape (height, width), (height, width, 1), (height, width, 3) or
            (height, width, 4) with levels 0-255 (uint8 or float) or 0-65535 (uint16).

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
    if isinstance(source, str) and is_remote(source):
        with remote_image(source) as image:
            return _to_rgb(image, repr(source))
    if isinstance(source, (str, Path)):
        return _read_file(Path(source).expanduser())
    if isinstance(source, Image.Image):
        return _to_rgb(source, "the PIL image")
    return _array_to_rgb(np.asarray(source))


def folder_images(folder: str | Path) -> Iterator[Path]:
    """Yields the image files of a folder, sorted, without those in subfolders.

    A warning lists files that are `passed_over`.

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
            f"Received: {str(folder)!r} without any.{passed_over_words(passed_over(folder))}"
        )
    if words := passed_over_words(passed_over(folder)):
        _logger.warning("%s:%s", folder, words)
    yield from paths


def passed_over(folder: str | Path) -> list[Path]:
    """Returns the files of a folder that may be photos but have no suffix in `IMAGE_SUFFIXES`.

    Hidden files, text and data files are left out.
    """
    return sorted(
        path
        for path in Path(folder).expanduser().iterdir()
        if path.suffix.lower() not in IMAGE_SUFFIXES | _OTHER_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def passed_over_words(files: Sequence[Path]) -> str:
    """Returns a sentence about files that were `passed_over`; empty without any."""
    if not files:
        return ""
    return (
        f" Passed over {len(files)} file{'s' * (len(files) > 1)} without the suffix of an image "
        f"that Pillow reads: {listed([path.name for path in files])}. Convert photos to JPEG or "
        f"PNG."
    )


def orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation of an image, 1 to 8; 1 where it is missing or invalid."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:
        # Damaged EXIF blocks raise exceptions of many types, while the pixels are whole.
        return 1
    return int(value) if value in _TURNS else 1


def stored_levels(image: Image.Image) -> str:
    """Returns Pillow's description of the levels in the file, such as "I;16B" or "L;4".

    It is known until the image is decoded; after that, this is the mode.
    """
    tiles = getattr(image, "tile", None)
    if not tiles:
        return image.mode
    arguments = tiles[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def upright(image: Image.Image) -> Image.Image:
    """Decodes an image and turns it by its EXIF orientation.

    Unlike Pillow's `exif_transpose`, it does not write the EXIF block again, which fails on many
    invalid tags.
    """
    image.load()
    method = _TURNS.get(orientation(image))
    return image if method is None else image.transpose(method)


def _read_file(path: Path) -> np.ndarray:
    prepare_heic(path.suffix.lower(), str(path))
    with open_image(path, "The photo") as image:
        return _to_rgb(image, repr(str(path)))


@contextmanager
def open_image(path: Path, what: str) -> Iterator[Image.Image]:
    """Opens an image file, and converts the exceptions of Pillow in the block to `ValueError`.

    A path that is not a file, such as a named pipe, is refused before it is opened.

    Args:
        path: The file.
        what: Subject of the message, such as "The photo".
    """
    check_file(path, what)
    try:
        # From an open file: Pillow maps an uncompressed TIFF into memory when it knows its path,
        # and then confuses rows and columns where EXIF turns it by 90 degrees.
        with path.open("rb") as file, Image.open(file) as image:
            yield image
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
            f"{what} must be a complete file. Received: {str(path)!r}, which is damaged or cut "
            f"short ({error})."
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
    stored = stored_levels(image)
    pixels = _converted(upright(image), label, twelve_bits=";12" in stored)
    # BGR;16 is a BMP file with 5 or 6 bits a channel.
    if image.mode.startswith("I") or ("16" in stored and "BGR" not in stored):
        _warn_if_dark(pixels, label)
    return pixels


def _warn_if_dark(pixels: np.ndarray, label: str) -> None:
    """Warns about levels of 16 bits that are nearly black in 8."""
    brightest = int(pixels.max())
    if not 0 < brightest < DARK or label in _warned or len(_warned) >= _MOST_WARNINGS:
        return
    _warned.add(label)
    _logger.warning(
        "%s has 16 bits, of which it uses the darkest %.1f %%: the network sees a dark photo, with "
        "levels up to %d of 255. If the camera has 10, 12 or 14 bits, scale the levels first.",
        label,
        100 * (brightest + 1) / 256,
        brightest,
    )


def _converted(image: Image.Image, label: str, *, twelve_bits: bool) -> np.ndarray:
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype("int64")
        if twelve_bits:
            levels = np.round(levels * (65535 / 4095)).astype("int64")
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(
                f"Integer levels must be 0-65535. Received: {levels.min()} to {levels.max()} in "
                f"{label}. Scale the image to 8 bits."
            )
        return np.repeat(_eight_bits(levels)[..., None], 3, axis=2)
    if image.mode == "F":
        raise ValueError(
            f"The photo must have integer levels. Received: float levels in {label}. Scale the "
            f"image to 8 bits."
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _eight_bits(levels: np.ndarray) -> np.ndarray:
    """Converts levels 0-65535 to 0-255."""
    return np.round(levels / 257).astype("uint8")


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
        array = _eight_bits(array)
        _warn_if_dark(array, "The array")
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
