"""Reads photos as RGB 0-255."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_deeplab._files import check_file
from keras_deeplab._validation import listed
from keras_deeplab.data.remote import PHOTO_LIMIT, copy_remote, is_remote, remote_path

_HEIC = frozenset({".heic", ".heif"})
# What Pillow reads as raster images. Its registry also lists documents and data files.
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif",
    ".tiff", ".gif", ".avif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".pcx", ".sgi", ".rgb", ".ras", ".psd", ".qoi", ".ico",
} | (_HEIC if find_spec("pillow_heif") else set()))  # fmt: skip
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
    if isinstance(source, (str, Path)):
        with open_image(source, "The photo") as image:
            return _to_rgb(image, repr(str(source)))
    if isinstance(source, Image.Image):
        return _to_rgb(source, "the PIL image")
    return _array_to_rgb(np.asarray(source))


def folder_images(folder: str | Path) -> list[Path]:
    """Returns the image files of a folder, sorted, without those in subfolders.

    A warning lists files that are `passed_over`. No images are a `ValueError`.
    """
    paths = sorted(
        path
        for path in Path(folder).expanduser().iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    words = passed_over_words(passed_over(folder))
    if not paths:
        raise ValueError(no_images(folder) + words)
    if words:
        _logger.warning("%s:%s", folder, words)
    return paths


def no_images(folder: str | Path) -> str:
    """Returns the error message for a folder without images."""
    return (
        f"The folder must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}). Received: "
        f"{str(folder)!r} without any."
    )


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
    """Returns Pillow's word for the levels in the file, "I;16B" or "L;4"; the mode once decoded."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return image.mode
    arguments = tiles[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def upright(image: Image.Image) -> Image.Image:
    """Decodes an image and turns it by its EXIF orientation."""
    # Pillow's `exif_transpose` also writes the EXIF block, which fails on many invalid tags.
    image.load()
    method = _TURNS.get(orientation(image))
    return image if method is None else image.transpose(method)


@contextmanager
def open_image(source: str | Path, what: str) -> Iterator[Image.Image]:
    """Opens the image in a file or at an address.

    Pillow's exceptions in the block become a `ValueError` that names the file; `what` is its
    subject, such as "The photo". A path that is not a file, such as a named pipe, is refused before
    it is opened.
    """
    content: BytesIO | None = None
    if is_remote(source):
        label = repr(source)
        _prepare_heic(remote_path(source).suffix, label)
        copy_remote(source, content := BytesIO(), limit=PHOTO_LIMIT)
    else:
        path = Path(source).expanduser()
        label = repr(str(path))
        _prepare_heic(path.suffix, label)
        check_file(path, what)
    size = content.tell() if content else path.stat().st_size
    try:
        # From an open file: Pillow maps an uncompressed TIFF into memory when it knows its path,
        # and then confuses rows and columns where EXIF turns it by 90 degrees.
        with content or path.open("rb") as file, Image.open(file) as image:
            yield image
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{what} must be an image that Pillow reads, such as PNG. Received: {label}, {size} "
            f"bytes."
        ) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ValueError(f"{what} must be smaller. Received: {label} ({error}).") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(
            f"{what} must be a complete file. Received: {label}, which is damaged or cut short "
            f"({error})."
        ) from error
    except Exception as error:
        # The package's own errors name the file; Pillow's are of many types and do not.
        if isinstance(error, ValueError) and "Received:" in str(error):
            raise
        raise ValueError(
            f"{what} must be an image that Pillow reads. Received: {label} "
            f"({type(error).__name__}: {error}). Open it in an image editor and save it again."
        ) from error


def _prepare_heic(suffix: str, label: str) -> None:
    if suffix.lower() not in _HEIC:
        return
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise ValueError(
            f"HEIC photos need pillow-heif. Received: {label}. "
            f'Run: pip install "keras_deeplab[heic]"'
        ) from error
    pillow_heif.register_heif_opener()


def _to_rgb(image: Image.Image, label: str) -> np.ndarray:
    stored = stored_levels(image)
    pixels = _converted(upright(image), label, twelve_bits=";12" in stored)
    # BGR;16 is a BMP file with 5 or 6 bits a channel.
    if image.mode.startswith("I") or ("16" in stored and "BGR" not in stored):
        _warn_if_dark(pixels, label)
    return pixels


def _warn_if_dark(pixels: np.ndarray, label: str) -> None:
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
        return np.repeat(np.round(levels / 257).astype("uint8")[..., None], 3, axis=2)
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
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in shape or array.shape[2] not in (1, 3, 4):
        raise ValueError(
            f"An image array must have shape (height, width), or (height, width, channels) with "
            f"1, 3 or 4 channels. Received: {shape=}."
        )
    if array.dtype.kind not in "iuf":
        raise ValueError(f"An image array must hold numbers. Received: dtype={array.dtype}.")
    if array.dtype == np.uint16:
        array = np.round(array / 257).astype("uint8")
        _warn_if_dark(array, "The array")
    elif array.dtype != np.uint8:
        low, high = array.min(), array.max()
        if not 0 <= low <= high <= 255:  # also false for NaN
            raise ValueError(
                f"An image must have finite levels 0-255. Received: {low} to {high} of type "
                f"{array.dtype}."
            )
        if array.dtype.kind == "f" and 0 < high <= 1:
            raise ValueError(
                f"A float image must have levels 0-255. Received: levels up to {high:.3g}, which "
                f"look like 0-1. Multiply it by 255."
            )
        array = np.round(array).astype("uint8")
    if array.shape[2] == 4:
        return _to_rgb(Image.fromarray(array, "RGBA"), "the array")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
