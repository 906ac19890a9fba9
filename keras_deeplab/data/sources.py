"""Data sources: images with labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, Protocol, final

import numpy as np

from keras_deeplab._validation import check_int
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import map_labels, read_mask
from keras_deeplab.presets.datasets import Palette, voc_palette

# Shapes of the parts of an element.
_SHAPES = {"image": (None, None, 3), "labels": (None, None), "name": ()}


class SegmentationData(ABC):
    """Images with labels, in a fixed order.

    An element is a dict: "image", uint8 (height, width, 3), RGB; "labels", integer (height,
    width); "name", a str that is unique in the source.

    Attributes:
        class_names: Names by label id.
        ignore_class: Label of pixels that losses and metrics ignore.
        palette: RGB colours by label id.
        failure: The error of the file that a `stream` could not read, which `tf.data` reports as
            an error of its own.
    """

    class_names: tuple[str, ...]
    ignore_class: int
    palette: Palette
    failure: Exception | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields the elements once, in order."""

    @abstractmethod
    def stream(self, *, shuffle: bool = False, seed: int = 0, start: int = 0) -> Any:
        """Returns an infinite `tf.data.Dataset` that repeats the elements.

        Args:
            shuffle: Whether to shuffle each pass, by `seed` and the number of the pass.
            seed: Random seed.
            start: Number of elements to skip.

        Returns:
            Dataset of dicts as described for the class, with an additional int64 "position": the
            number of preceding elements in the stream, which seeds the augmentation.
        """


class WrongLabelError(ValueError):
    """A label of a mask is neither a class nor ignored: the classes are not those of the masks."""


class Drawn(Protocol):
    """Draws a mask from annotations."""

    def labels(self) -> np.ndarray:
        """Returns the mask, uint8 or uint16 (height, width)."""


class Example(NamedTuple):
    """The files of one image and its mask.

    Attributes:
        name: Name of the image.
        image: Image file.
        mask: Mask file, or annotation file.
        drawn: Draws the mask from the annotations; None for a mask file.
    """

    name: str
    image: Path
    mask: Path
    drawn: Drawn | None = None


@final
class SegmentationFiles(SegmentationData):
    """Images and masks in files.

    Args:
        examples: The files.
        class_names: Names by label id.
        ignore_class: Label of ignored pixels.
        palette: RGB colours by label id, also used to read masks stored as colours. Default: VOC's.
        label_map: Label id by pixel value of the mask files; other values are unchanged.

    Attributes:
        read_as: What the files were read as, such as "LabelMe polygons"; for display.

    Raises:
        ValueError: If there are no examples, names are not unique, or colours are missing.

    Example:

    >>> example = Example("cat", Path("cat.jpg"), Path("cat.png"))
    >>> len(SegmentationFiles([example], class_names=["background", "cat"]))
    1
    """

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        class_names: Sequence[str],
        ignore_class: int = 255,
        palette: Palette | None = None,
        label_map: Mapping[int, int] | None = None,
    ) -> None:
        self.examples = tuple(examples)
        self.class_names = tuple(class_names)
        self.ignore_class = ignore_class
        self.palette = palette or voc_palette(len(self.class_names))
        self.label_map = dict(label_map) if label_map else None
        self.read_as = "images and masks"
        _check(self)
        self._valid = np.zeros(65536, bool)
        self._valid[[*range(len(self.class_names)), ignore_class]] = True

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads one element.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is damaged, image and mask differ in size, or a label is neither a
                class nor ignored (`WrongLabelError`).
        """
        example = self.examples[index]
        image, labels = read_image(example.image), self.read_labels(index)
        if image.shape[:2] != labels.shape:
            raise ValueError(size_words(example, image.shape[:2], labels.shape))
        valid = self._valid[labels]
        if not valid.all():
            raise WrongLabelError(
                f"Labels must be 0 to {len(self.class_names) - 1}, or {self.ignore_class} for "
                f"ignored pixels. Received: {labels[~valid][0]} in {str(example.mask)!r}."
            )
        return {"image": image, "labels": labels, "name": example.name}

    def read_labels(self, index: int) -> np.ndarray:
        """Reads one mask without checking its labels: an integer array (height, width)."""
        example = self.examples[index]
        if example.drawn is not None:
            return map_labels(example.drawn.labels(), self.label_map)
        return read_mask(
            example.mask, self.label_map, palette=self.palette, ignore_class=self.ignore_class
        )

    def subset(self, indices: Iterable[int]) -> SegmentationFiles:
        """Returns a data source with the given elements, in the given order."""
        part = copy(self)
        part.examples = tuple(self.examples[index] for index in indices)
        _check(part)
        return part

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def stream(self, *, shuffle: bool = False, seed: int = 0, start: int = 0) -> Any:
        import tensorflow as tf

        def read(index: np.int64) -> tuple[np.ndarray, np.ndarray, str]:
            try:
                element = self[int(index)]
            except (ValueError, OSError) as error:
                self.failure = error
                raise
            return element["image"], element["labels"].astype("int32"), element["name"]

        def load(index: tf.Tensor) -> dict[str, tf.Tensor]:
            types = [tf.uint8, tf.int32, tf.string]
            parts = tf.numpy_function(read, [index], types, stateful=False)
            return dict(zip(_SHAPES, parts, strict=True))

        return endless(load, len(self), shuffle=shuffle, seed=seed, start=start)


def endless(
    load: Callable[[Any], dict[str, Any]], size: int, *, shuffle: bool, seed: int, start: int
) -> Any:
    """Returns the `stream` of the `size` elements that `load` reads by an int64 index."""
    import tensorflow as tf

    check_int("start", start, minimum=0)

    def at(position: tf.Tensor) -> dict[str, tf.Tensor]:
        index = position % size
        if shuffle:
            # A permutation that gives random access, so a stream can start at any element.
            index = tf.random.experimental.index_shuffle(index, [seed, position // size], size - 1)
        element = {key: tf.ensure_shape(part, _SHAPES[key]) for key, part in load(index).items()}
        return element | {"position": position}

    positions = tf.data.Dataset.range(start, np.iinfo("int64").max)
    return positions.map(at, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


@contextmanager
def named_failures(*sources: SegmentationData | None) -> Iterator[None]:
    """Replaces the error of a `tf.data` pipeline by that of the file that it could not read."""
    given = [source for source in sources if source is not None]
    for source in given:
        source.failure = None
    try:
        yield
    except Exception as error:
        for source in given:
            if source.failure:
                raise source.failure from error
        raise


def size_words(example: Example, image_size: tuple[int, ...], mask_size: tuple[int, ...]) -> str:
    """Returns the error message for an image and a mask of different sizes."""
    turned = image_size[::-1] == mask_size
    what = "mask seems" if example.drawn is None else "annotations seem"
    return (
        f"Image and mask must have one size. Received: {str(example.image)!r} of "
        f"{'x'.join(map(str, image_size))} and {str(example.mask)!r} of "
        f"{'x'.join(map(str, mask_size))} (height x width)."
        + (f" The {what} to match the image without its EXIF orientation." if turned else "")
    )


def _check(data: SegmentationFiles) -> None:
    if not data.examples:
        raise ValueError("There must be an image with its mask. Received: examples=[].")
    classes = len(data.class_names)
    if not classes:
        raise ValueError("There must be a class. Received: class_names=[].")
    if classes > 65535:
        raise ValueError(f"There must be at most 65,535 classes. Received: {classes} class names.")
    if len(set(data.class_names)) < classes or "" in data.class_names:
        raise ValueError(
            f"Class names must be distinct and not empty. Received: {list(data.class_names)}."
        )
    ((name, count),) = Counter(example.name for example in data.examples).most_common(1)
    if count > 1:
        raise ValueError(f"The names of the examples must be distinct. Received: {name!r} twice.")
    check_int("ignore_class", data.ignore_class, minimum=0)
    if data.ignore_class > 65535:
        raise ValueError(f"ignore_class must fit 16 bits. Received: {data.ignore_class}.")
    if len(data.palette) < classes:
        raise ValueError(
            f"palette must have a colour for each of the {classes} classes. Received: "
            f"{len(data.palette)} colours."
        )
