"""Reads label masks: one class id per pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab._validation import listed
from keras_deeplab.data.images import open_image, stored_levels, upright
from keras_deeplab.data.mat_file import read_mat_mask
from keras_deeplab.presets.datasets import Palette
from keras_deeplab.presets.label_maps import VOID_COLOURS

# Pillow scales the levels of 2-bit and 4-bit grey PNG files to 0-255.
_SPREAD = {"L;2": 85, "L;4": 17}
_EXACT_MODES = ("1", "L", "P", "LA", "PA", "La", "RGB", "RGBA")
# Grey palettes that show classes go up to white; ids that became a palette seldom go this far.
_DARK_IDS = 64


def read_mask(
    path: str | Path,
    label_map: Mapping[int, int] | None = None,
    *,
    palette: Palette | None = None,
    ignore_class: int = 255,
) -> np.ndarray:
    """Reads a mask as class ids, uint8 or uint16 (height, width).

    The ids are the pixel values of a grey image with 1 to 16 bits, or the palette indices of a
    palette image, as in VOC. A colour image whose red, green and blue levels are equal is read as
    ids; other colour images are converted with the palette. Masks are turned by their EXIF
    orientation, as photos are. MATLAB files of SBD, PASCAL-Context and PASCAL-Part are supported.
    Files with lossy compression are a `ValueError`.

    Args:
        path: Losslessly compressed image file, such as PNG, or MATLAB file.
        label_map: Class id by pixel value of the file; other values are unchanged. It is not
            applied to masks that are stored as colours.
        palette: RGB colours by class id, for masks that are stored as colours.
        ignore_class: Class id for the colours that VOC, Cityscapes and CamVid use for ignored
            pixels, unless `palette` contains them.
    """
    path = Path(path)
    if path.suffix.lower() == ".mat":
        return map_labels(read_mat_mask(path), label_map)
    pixels = _read_pixels(path)
    if pixels.ndim == 2:
        return map_labels(pixels, label_map)
    colours = pixels[..., :3]
    same = bool((colours == colours[..., :1]).all())
    ids = colours[..., 0]
    if same and (palette is None or (ids[ids != 255] < len(palette)).all()):
        return map_labels(ids, label_map)
    return _labels_of_colours(colours, palette, ignore_class, path)


def map_labels(labels: np.ndarray, label_map: Mapping[int, int] | None) -> np.ndarray:
    """Replaces the labels in `label_map` by its values; others are unchanged.

    The result is uint8 where all labels that `label_map` gives fit in it, and it lacks none.
    """
    if not label_map:
        return labels
    wrong = [pair for pair in label_map.items() if not 0 <= min(pair) <= max(pair) <= 65535]
    if wrong:
        raise ValueError(
            f"label_map must hold labels from 0 to 65535. Received: {wrong[0][0]} to {wrong[0][1]}."
        )
    table = np.arange(np.iinfo(labels.dtype).max + 1, dtype="uint16")
    inside = {old: new for old, new in label_map.items() if old < len(table)}
    table[list(inside)] = list(inside.values())
    labels = table[labels]
    return labels.astype("uint8") if labels.max(initial=0) <= 255 else labels


def _read_pixels(path: Path) -> np.ndarray:
    """Returns levels or palette indices (height, width), or colours (height, width, 3 or 4)."""
    with open_image(path, "The mask") as file:
        if lossy := lossy_compression(file, path):
            raise ValueError(
                f"A mask must be stored without loss, such as PNG. Received: {str(path)!r}, a file "
                f"of {lossy}, whose compression changes ids. Export the masks as PNG."
            )
        spread = _SPREAD.get(stored_levels(file), 1)
        if file.mode == "F":
            raise ValueError(
                f"A mask must hold integers. Received: {str(path)!r} with float levels."
            )
        image = upright(file)
        _check_alpha(image, path)
        if image.mode not in _EXACT_MODES and not image.mode.startswith("I"):
            image = image.convert("RGB")
        pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey or a palette, and alpha
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint8 and image.mode == "P":
        return _ids_of_greys(pixels, image)
    if pixels.dtype == np.uint8:
        return pixels // spread if spread > 1 else pixels
    if pixels.dtype == bool:
        return pixels.astype("uint8")
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(
            f"A mask must hold ids 0-65535. Received: {pixels.min()} to {pixels.max()} in "
            f"{str(path)!r}."
        )
    return pixels.astype("uint16")


def _ids_of_greys(indices: np.ndarray, image: Image.Image) -> np.ndarray:
    """Returns the ids of a palette image: its indices, or the levels of a grey image.

    Programs that write GIF files or make PNG files smaller sort the levels of a grey image into a
    palette. Then its colours are ids: grey, and dark, but for the ignored 255.
    """
    palette = np.array(image.getpalette("RGB") or (), "uint8").reshape(-1, 3)
    if (palette != palette[:, :1]).any():
        return indices
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    levels = palette[used[used < len(palette)], 0]
    if len(levels) < len(used) or not 0 < levels[levels < 255].max(initial=0) < _DARK_IDS:
        return indices
    return np.pad(palette[:, 0], (0, 256 - len(palette)))[indices]


def lossy_compression(image: Image.Image, path: Path) -> str | None:
    """Returns the name of the lossy compression of an opened file, or None for lossless files."""
    kind = str(image.format)
    # Files of AVIF and HEIC do not say whether the colours were converted.
    if kind in ("JPEG", "MPO", "AVIF", "HEIF"):
        return kind
    if kind == "TIFF":
        inner = str(image.info.get("compression"))
        return f"TIFF with {inner} compression" if inner in ("jpeg", "tiff_jpeg", "webp") else None
    if kind == "WEBP" and b"VP8 " in _webp_chunks(path.read_bytes()):
        return "lossy WebP"
    if kind == "JPEG2000" and _is_irreversible(path.read_bytes()):
        return "lossy JPEG 2000"
    return None


def _webp_chunks(content: bytes, start: int = 12) -> Iterator[bytes]:
    """Yields the names of the chunks, those of an animation's frames too."""
    while start + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, start)
        if name == b"ANMF":
            yield from _webp_chunks(content[start + 24 : start + 8 + size], 0)
        yield name
        start += 8 + size + size % 2


def _is_irreversible(content: bytes) -> bool:
    # Last byte of the marker segment COD: the wavelet, 0 for 9-7 (irreversible), 1 for 5-3.
    start = content.find(b"\xff\x52")
    return content[start + 13 : start + 14] == b"\0"


def _check_alpha(image: Image.Image, path: Path) -> None:
    """Raises `ValueError` if the object is in the alpha channel only."""
    if image.mode not in ("LA", "PA", "RGBA"):
        return
    *levels, alpha = (band.getextrema() for band in image.split())
    if alpha[0] != alpha[1] and all(low == high for low, high in levels):
        raise ValueError(
            f"A mask must hold ids in its levels. Received: {str(path)!r}, of one colour with an "
            f"alpha channel that varies. If the object is in the alpha channel, save that channel "
            f"as a grey image."
        )


def _labels_of_colours(
    colours: np.ndarray, palette: Palette | None, ignore_class: int, path: Path
) -> np.ndarray:
    codes = (colours.astype("int32") * (65536, 256, 1)).sum(-1)
    found, inverse = np.unique(codes, return_inverse=True)
    levels = [(code >> 16, code >> 8 & 255, code & 255) for code in found.tolist()]
    known: dict[tuple[int, ...], int] = dict.fromkeys(VOID_COLOURS, ignore_class)
    known |= {tuple(colour): label for label, colour in reversed([*enumerate(palette or ())])}
    strange = [colour for colour in levels if palette is None or colour not in known]
    if strange:
        raise ValueError(
            f"A mask must have one channel of class ids, grey or palette"
            f"{'' if palette is None else ', or the colours of the palette'}. Received: "
            f"{str(path)!r}, a colour image with {listed(strange)}. Save the ids "
            f"themselves, or give the colours of the classes (palette=, or a labelmap.txt with "
            f"lines NAME:RED,GREEN,BLUE in the folder)."
        )
    labels = np.array([known[colour] for colour in levels])
    return labels.astype("uint8" if labels.max() <= 255 else "uint16")[inverse].reshape(codes.shape)
