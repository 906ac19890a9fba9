"""Annotated photos: their regions, and the mask that is drawn from them."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_deeplab.data.annotations.shapes import IdImage, Patch, Shape, Size
from keras_deeplab.data.images import open_image, orientation

# Masks that take longer to draw are kept compressed, up to this number of bytes in all.
_SLOW_SECONDS = 0.02
_KEPT_BYTES = 256 * 2**20
# EXIF orientations that swap height and width.
TURNED = (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Region:
    """An annotated region.

    Attributes:
        name: Its class.
        shape: Its shape.
        order: Drawing order; regions of a higher one are drawn later.
        ignored: Whether its pixels are ignored, as in COCO's crowds. Where smaller regions cover
            larger ones, all others cover it.
    """

    name: str
    shape: Shape
    order: int = 0
    ignored: bool = False


class Finding(NamedTuple):
    """A problem in a dataset.

    Attributes:
        level: "error" (training would stop or give useless results) or "warning".
        kind: Category, e.g. "label out of range"; findings of one kind are listed together.
        split: Name of the split.
        file: The file, or the folder.
        message: Description of the problem and its remedy.
    """

    level: str
    kind: str
    split: str
    file: str
    message: str


@dataclass
class AnnotatedPhoto:
    """A photo with its annotations.

    Attributes:
        reference: Name of the photo in the annotation file.
        image: The photo; None if it was not found.
        file: Annotation file.
        size: (height, width) that the annotations are for; None if the file does not state it.
        regions: Regions, in the order of the file.
        split: "train", "val", "test" or None.
        raster: Panoptic segments, instead of `regions`.
    """

    reference: str
    image: Path | None
    file: Path
    size: Size | None
    regions: list[Region] = field(default_factory=list)
    split: str | None = None
    raster: IdImage | None = None

    def names(self) -> set[str]:
        """Returns the classes of its regions."""
        names = {region.name for region in self.regions if not region.ignored}
        return names | set(self.raster.names.values() if self.raster else ())


@dataclass
class Annotations:
    """The annotations of a dataset.

    Attributes:
        title: The format, for display, such as "LabelMe polygons".
        photos: Annotated photos.
        class_names: Classes in the order of the format, without the background.
        smaller_on_top: Whether smaller regions cover larger ones. Otherwise later ones do.
        unlabelled: "background" or "ignore": what pixels without annotation are by default.
        colours: RGB by class, where the format has them.
        problems: Problems in the files.
        unannotated: Photos without annotations, which are left out.
        set_aside: Annotated photos that no split list names.
        said: Whether the problems were told to the user.
    """

    title: str
    photos: list[AnnotatedPhoto] = field(default_factory=list)
    class_names: tuple[str, ...] = ()
    smaller_on_top: bool = False
    unlabelled: str = "background"
    colours: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)
    unannotated: list[Path] = field(default_factory=list)
    set_aside: list[Path] = field(default_factory=list)
    said: bool = False

    def find(self, level: str, kind: str, file: Path, message: str) -> None:
        """Adds a problem."""
        self.problems.append(Finding(level, kind, "all", str(file), message))


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws the mask of an annotated photo.

    Attributes:
        ids: Label id by class; regions of other classes are left out.
        unlabelled: Label of pixels without a region.
    """

    photo: AnnotatedPhoto
    ids: Mapping[str, int]
    unlabelled: int
    ignore_class: int
    smaller_on_top: bool
    _kept: list[tuple[bytes, np.dtype, Size]] = field(default_factory=list)

    def labels(self) -> np.ndarray:
        """Returns the mask, uint8 or uint16 (height, width).

        Raises:
            ValueError: If a region is damaged; the message names the file.
        """
        if self._kept:
            data, dtype, size = self._kept[0]
            return np.frombuffer(zlib.decompress(data), dtype).reshape(size)
        start = time.perf_counter()
        try:
            raster = self.photo.raster
            labels = self._from_raster(raster) if raster else self._from_regions()
        except (ValueError, TypeError, OSError, zlib.error, OverflowError, IndexError) as error:
            raise ValueError(
                f"The annotations of {self.photo.reference!r} must be complete. Received: "
                f"{str(self.photo.file)!r} ({error})."
            ) from error
        if time.perf_counter() - start > _SLOW_SECONDS:
            data = zlib.compress(labels.tobytes(), 1)
            if _used[0] + len(data) <= _KEPT_BYTES:
                _used[0] += len(data)
                self._kept.append((data, labels.dtype, (labels.shape[0], labels.shape[1])))
        return labels

    def _from_regions(self) -> np.ndarray:
        photo = self.photo
        size = photo.size or (upright_size(photo.image) if photo.image else (1, 1))
        highest = max([self.unlabelled, self.ignore_class, *self.ids.values()])
        labels = np.full(size, self.unlabelled, "uint8" if highest < 256 else "uint16")
        drawn: list[tuple[float, int, Patch]] = []
        for region in photo.regions:
            label = self.ignore_class if region.ignored else self.ids.get(region.name)
            patch = region.shape.patch(size) if label is not None else None
            if patch is None or label is None:
                continue
            key = float(region.order)
            if self.smaller_on_top:
                key = -np.inf if region.ignored else -float(np.count_nonzero(patch.mask))
            drawn.append((key, label, patch))
        for _, label, patch in sorted(drawn, key=lambda one: one[0]):
            np.copyto(patch.part_of(labels), label, where=patch.mask)
        return labels

    def _from_raster(self, raster: IdImage) -> np.ndarray:
        numbers, inverse = np.unique(raster.numbers(), return_inverse=True)
        found = [
            self.ignore_class
            if number in raster.crowds
            else self.ids.get(raster.names.get(number, ""), self.unlabelled)
            for number in numbers.tolist()
        ]
        labels: np.ndarray = np.array(found, "uint8" if max(found) < 256 else "uint16")[inverse]
        return labels.reshape(inverse.shape)


_used = [0]


def upright_size(path: Path) -> Size:
    """Returns the (height, width) of a photo after its EXIF orientation is applied."""
    with open_image(path, "The photo") as image:
        turned = orientation(image) in TURNED
        return (image.width, image.height) if turned else (image.height, image.width)
