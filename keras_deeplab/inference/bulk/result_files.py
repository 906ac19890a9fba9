"""The files of one photo's result, by format, and its record."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_deeplab.inference.bulk.destination import Destination
from keras_deeplab.inference.segmentation import PNG, Segmentation
from keras_deeplab.visualize import palette_image

_SUFFIXES = {"png": ".png", "video": ".png", "npz": ".npz", "rle-json": ".json"}


@dataclass(frozen=True)
class ResultFiles:
    """Writes the results of photos.

    Attributes:
        destination: Folder to write to.
        format: "png": label ids as pixel values; "npz": an array "labels"; "rle-json": run lengths
            per class, as COCO stores them; "video": for videos a lossless video, for photos
            as "png"; "none": no masks.
        overlay: Whether to write overlays.
        opacity: Opacity of the overlays, 0 to 1.
    """

    destination: Destination
    format: str = "png"
    overlay: bool = True
    opacity: float = 0.5

    def save(self, result: Segmentation, *, photo: str, name: str) -> dict[str, Any]:
        """Writes the files of a photo and returns its record.

        Args:
            result: The photo's mask.
            photo: Path or address of the photo.
            name: Prefix of the names of its files.
        """
        record: dict[str, Any] = {"photo": photo}
        contents = {}
        if self.format != "none":
            record["mask"] = f"{name}_mask{mask_suffix(self.format)}"
            contents["mask"] = encoded_mask(result, self.format)
        if self.overlay:
            record["overlay"] = f"{name}_overlay.png"
            contents["overlay"] = png_bytes(result.overlay(opacity=self.opacity))
        for kind, content in contents.items():
            self.destination.write(record[kind], content)
        height, width = result.labels.shape
        return {**record, "height": height, "width": width, "shares": result.shares()}


def mask_suffix(format: str) -> str:
    """Returns the suffix of the files of a format."""
    return _SUFFIXES.get(format, "")


def png_bytes(image: Any) -> bytes:
    """Returns a PIL image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "png", **PNG)
    return buffer.getvalue()


def encoded_mask(result: Segmentation, format: str) -> bytes:
    """Returns a mask as a file of a format."""
    if format in ("png", "video"):
        return png_bytes(palette_image(result.labels, result.palette))
    if format == "npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, labels=result.labels)
        return buffer.getvalue()
    segments = [
        {
            "label": int(label),
            "name": result.class_names[label],
            "area": int((result.labels == label).sum()),
            "counts": run_lengths(result.labels == label),
        }
        for label in np.unique(result.labels)
    ]
    content = {"size": list(result.labels.shape), "segments": segments}
    return json.dumps(content, separators=(",", ":")).encode()


def run_lengths(mask: np.ndarray) -> list[int]:
    """Returns the run lengths of a mask, column by column, starting with those outside it.

    pycocotools reads them as ``{"size": [height, width], "counts": run_lengths}``.

    Example:

    >>> run_lengths(np.array([[0, 1], [1, 1]], bool))
    [1, 3]
    """
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    lengths = np.diff([0, *changes.tolist(), pixels.size]).tolist()
    return [0, *lengths] if pixels[0] else lengths
