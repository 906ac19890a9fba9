"""The files of a photo or video, by format."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_deeplab.data.video_reader import VideoReader
from keras_deeplab.inference.bulk.destination import Destination
from keras_deeplab.inference.bulk.video_writer import VideoWriter
from keras_deeplab.inference.segmentation import PNG, Segmentation
from keras_deeplab.visualize import palette_image

_SUFFIXES = {"png": ".png", "video": ".png", "npz": ".npz", "rle-json": ".json"}


@dataclass(frozen=True)
class ResultFiles:
    """Where results go, and their format.

    Masks are written as "png": label ids as pixel values; "npz": an array "labels"; "rle-json": run
    lengths per class, as COCO stores them; "video": for videos a lossless video, for photos as
    "png"; or "none".
    """

    destination: Destination
    format: str = "png"
    overlay: bool = True
    opacity: float = 0.5

    def save(self, result: Segmentation, *, photo: str, name: str) -> dict[str, Any]:
        """Writes the files of a photo, whose names begin with `name`, and returns its record."""
        written = {}
        if self.format != "none":
            written["mask"] = f"{name}_mask{_SUFFIXES[self.format]}"
            self.destination.write(written["mask"], encoded_mask(result, self.format))
        if self.overlay:
            written["overlay"] = f"{name}_overlay.png"
            overlay = _png(result.overlay(opacity=self.opacity))
            self.destination.write(written["overlay"], overlay)
        height, width = result.labels.shape
        shares = result.shares()
        return {"photo": photo, **written, "height": height, "width": width, "shares": shares}


class VideoFiles:
    """The files of a video, which get their names when they are complete."""

    def __init__(self, reader: VideoReader, name: str, files: ResultFiles) -> None:
        self.files = files
        self.name = name
        self.partial: dict[str, tuple[Path, str]] = {}
        self.writers: dict[str, VideoWriter] = {}
        rate = reader.rate / reader.every
        if files.overlay:
            sound = None if reader.is_camera else reader.path
            self.writers["overlay"] = VideoWriter(self._new("overlay", ".mp4"), rate, sound=sound)
        if files.format == "video":
            self.writers["mask"] = VideoWriter(self._new("mask", ".mkv"), rate, lossless=True)
        elif files.format != "none":
            self._new("mask").mkdir()

    def _new(self, kind: str, suffix: str = "") -> Path:
        path = self.files.destination.unfinished(suffix)
        self.partial[kind] = path, f"{self.name}_{kind}{suffix}"
        return path

    def render(self, frame: Segmentation) -> tuple[Segmentation, np.ndarray | None, bytes | None]:
        """Returns a frame with its overlay, and with its mask as a file, where they are written."""
        overlay = mask = None
        if self.files.overlay:
            overlay = np.asarray(frame.overlay(opacity=self.files.opacity, legend=False))
        if self.files.format not in ("none", "video"):
            mask = encoded_mask(frame, self.files.format)
        return frame, overlay, mask

    def write(self, frame: Segmentation, overlay: np.ndarray | None, mask: bytes | None) -> None:
        """Appends what `render` returned."""
        seconds = frame.time or 0.0
        if overlay is not None:
            self.writers["overlay"].write(overlay, seconds)
        if mask is not None:
            number = frame.name.rpartition("_")[2]
            suffix = _SUFFIXES[self.files.format]
            (self.partial["mask"][0] / f"{number}{suffix}").write_bytes(mask)
        elif "mask" in self.writers:
            # Frames of a network that returns labels may have types of their own.
            kind = "uint8" if len(frame.class_names) <= 256 else "uint16"
            self.writers["mask"].write(frame.labels.astype(kind), seconds)

    def finish(self) -> dict[str, str]:
        """Closes the files, gives them their names, and returns these by kind."""
        for writer in self.writers.values():
            writer.close()
        for path, name in self.partial.values():
            self.files.destination.put(path, name)
        return {kind: name for kind, (_, name) in self.partial.items()}

    def discard(self) -> None:
        """Removes the unfinished files."""
        for writer in self.writers.values():
            with contextlib.suppress(Exception):
                writer.close()
        for path, _ in self.partial.values():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", **PNG)
    return buffer.getvalue()


def encoded_mask(result: Segmentation, format: str) -> bytes:
    """Returns a mask as a file of a format."""
    if format in ("png", "video"):
        return _png(palette_image(result.labels, result.palette))
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
    """
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    lengths = np.diff([0, *changes.tolist(), pixels.size]).tolist()
    return [0, *lengths] if pixels[0] else lengths
