"""What the writers of annotations have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_deeplab._files import make_folder, write_text
from keras_deeplab.data.annotations.annotated_source import BACKGROUNDS
from keras_deeplab.data.annotations.outlines import Outline, outlines
from keras_deeplab.presets.datasets import Palette, voc_palette


class AnnotationWriter(ABC):
    """Writes the masks of photos in the format of a labelling tool; from `annotation_writer`.

    Every connected region of a class becomes a polygon, or several if it has holes; the background
    is left out. `add` may be called from several threads.

    Attributes:
        folder: Folder to write to.
        class_names: Names by label id.
        palette: RGB colours by label id.
        masks: Whether regions are written as pixels (run lengths, bitmaps) instead of polygons.
        smallest: Least number of pixels of a region, and of a hole.
        tolerance: Largest distance, pixels, by which a polygon may differ from its region.
    """

    # The file for all photos.
    file: str
    # Whether the tool fills the pixels on an outline too.
    inclusive: ClassVar[bool] = False

    def __init__(
        self,
        folder: Path,
        class_names: Sequence[str],
        palette: Palette | None,
        *,
        masks: bool,
        smallest: int,
        tolerance: float,
    ) -> None:
        self.folder = folder
        self.class_names = tuple(class_names)
        self.palette = palette or voc_palette(len(self.class_names))
        self.masks = masks
        self.smallest = smallest
        self.tolerance = tolerance
        first = self.class_names[0].lower() in BACKGROUNDS
        self.labels = range(int(first), len(self.class_names))
        self._lock = threading.Lock()
        self._photos: dict[Path, Any] = {}
        make_folder(folder)

    def add(self, photo: Path, labels: np.ndarray) -> tuple[Path, ...]:
        """Adds the mask of a photo.

        Args:
            photo: Image file.
            labels: Label ids (height, width), of the upright photo.

        Returns:
            The files that were written for this photo; none if there is one for all.
        """
        found = outlines(
            labels,
            skip=tuple(set(np.unique(labels).tolist()).difference(self.labels)),
            smallest=self.smallest,
            tolerance=0 if self.masks else self.tolerance,
            inclusive=self.inclusive,
        )
        content = self._one(photo, (labels.shape[0], labels.shape[1]), list(found))
        with self._lock:
            self._photos[photo] = content
        return (content,) if isinstance(content, Path) else ()

    def finish(self) -> tuple[Path, ...]:
        """Writes the files for all photos, and returns their paths."""
        with self._lock:
            contents = [self._photos[photo] for photo in sorted(self._photos)]
        texts = self._all(contents)
        return tuple(write_text(self.folder / name, text) for name, text in texts.items())

    @abstractmethod
    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        """Returns what `_all` needs of a photo, or the path of a file that it writes for it."""

    @abstractmethod
    def _all(self, contents: list[Any]) -> dict[str, str]:
        """Returns the texts of the files for all photos, by name."""

    def _colour(self, label: int) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.palette[label])


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns top, left, bottom and right of a region; bottom and right are not part of it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
