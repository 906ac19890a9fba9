"""The mask of one photo: its overlay, the shares of the classes, and its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_deeplab._files import make_folder, write_atomically
from keras_deeplab._validation import listed, percent
from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize import (
    blend,
    display_palette,
    has_background,
    palette_image,
    with_legend,
    with_names,
)

OVERLAY_SIZE = 2048
NOTEBOOK_SIZE = 800
# Run-length coding writes PNG files several times faster than Pillow's default, slightly larger.
PNG: dict[str, Any] = {"compress_level": 1, "compress_type": 3}


@dataclass(frozen=True, repr=False)
class Segmentation:
    """The mask of one photo. It is printed in one line; a notebook shows its overlay.

    Attributes:
        image: The photo, uint8 array of shape (height, width, 3).
        labels: Label ids, array of shape (height, width), uint8 (uint16 above 256 classes).
        class_names: Names by label id.
        palette: RGB colours by label id.
        probabilities: float32 array of shape (height, width, classes), or None unless asked for.
        name: Stem of the photo's file name, or "photo", with a number where several photos of one
            call have the same.
        time: Time stamp of a video's frame, seconds; None for photos.
    """

    image: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    palette: Palette
    probabilities: np.ndarray | None = None
    name: str = "photo"
    time: float | None = None

    def __repr__(self) -> str:
        height, width = self.labels.shape
        shares = [f"{name} {percent(share)}" for name, share in self.shares().items()]
        return f"Segmentation({self.name}, {height}x{width}: {listed(shares)})"

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.at_most(NOTEBOOK_SIZE).overlay().save(buffer, "PNG")
        return buffer.getvalue()

    def shares(self) -> dict[str, float]:
        """Returns the share of pixels, 0 to 1, of each class in the mask, largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.class_names))
        order = np.argsort(-counts, kind="stable")
        return {
            self.class_names[i]: float(counts[i] / self.labels.size) for i in order if counts[i]
        }

    @property
    def colours(self) -> Palette:
        """RGB colours by label id in overlays: bright, and safe for the colour blind."""
        return display_palette(self.palette)

    def overlay(
        self, *, opacity: float = 0.5, legend: bool = True, names: bool = True
    ) -> Image.Image:
        """Returns the photo blended with the colours of the classes.

        Args:
            opacity: Opacity of the colours, 0 to 1.
            legend: Whether to add a legend with shares and colours below, without a background.
            names: Whether to write the names of the classes on their regions.

        Returns:
            RGB image, with the photo's longer side reduced to at most 2048 pixels.
        """
        shown, colours = self.at_most(OVERLAY_SIZE), self.colours
        blended = blend(shown.image, shown.labels, colours, opacity=opacity)
        if names and opacity > 0:
            blended = np.asarray(with_names(blended, shown.labels, self.class_names, colours))
        if not legend:
            return Image.fromarray(blended)
        by_name = dict(zip(self.class_names, colours, strict=True))
        hidden = self.class_names[:1] if has_background(self.palette) else ()
        return with_legend(
            blended,
            [(n, share, by_name[n]) for n, share in self.shares().items() if n not in hidden],
        )

    def at_most(self, side: int) -> Segmentation:
        """Returns the segmentation with photo and mask reduced to at most ``side`` pixels per side.

        The mask is resized by nearest neighbour; probabilities are dropped.
        """
        scale = side / max(self.labels.shape)
        if scale >= 1:
            return self
        size = [max(1, round(length * scale)) for length in reversed(self.labels.shape)]
        image = Image.fromarray(self.image).resize(size, Image.Resampling.BILINEAR)
        labels = Image.fromarray(self.labels).resize(size, Image.Resampling.NEAREST)
        return replace(self, image=np.asarray(image), labels=np.asarray(labels), probabilities=None)

    def save(
        self,
        folder: str | Path = ".",
        *,
        name: str | None = None,
        opacity: float = 0.5,
        overlay: bool = True,
    ) -> tuple[Path, ...]:
        """Writes ``{name}_mask.png`` and ``{name}_overlay.png``.

        The mask's pixel values are the label ids, with the dataset's colours as its palette.

        Args:
            folder: Folder to write to; created if it does not exist.
            name: Prefix of the file names. Default: the name of the photo.
            opacity: Opacity of the colours in the overlay, 0 to 1.
            overlay: Whether to write the overlay.

        Returns:
            The paths of the mask and, if written, of the overlay.
        """
        folder, paths = make_folder(Path(folder).expanduser()), []
        pictures = {"mask": palette_image(self.labels, self.palette)}
        if overlay:
            pictures["overlay"] = self.overlay(opacity=opacity)
        for kind, picture in pictures.items():
            path = folder / f"{name or self.name}_{kind}.png"
            with write_atomically(path, durable=False) as partial:
                picture.save(partial, **PNG)
            paths.append(path)
        return tuple(paths)
