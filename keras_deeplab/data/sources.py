"""Where images and their labels come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.tables.datasets import Palette, voc_palette


class SegmentationData(ABC):
    """Images with labels, in a fixed order.

    An element is a dict: "image", uint8 (height, width, 3), RGB; "labels", integer (height,
    width); "name", a str that is distinct in the source.

    Attributes:
        class_names: Names by label id.
        ignore_class: Label of pixels to leave out of loss and metric.
        palette: RGB colours by label id.
    """

    class_names: tuple[str, ...]
    ignore_class: int
    palette: Palette

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields the elements once, in order."""

    @abstractmethod
    def stream(self, *, shuffle: bool = False, seed: int = 0, start: int = 0) -> Any:
        """Returns an endless `tf.data.Dataset` that passes over the elements again and again.

        Args:
            shuffle: Whether each pass has an order of its own, given by `seed` and its number.
            seed: Of the orders.
            start: Number of elements to leave out at the beginning, as if they had been read.

        Returns:
            Dataset of dicts as in the class, with "position", int64, the number of elements
            before in the stream, besides; it seeds what happens to the element afterwards.
        """


class Example(NamedTuple):
    """The files of one image and its mask."""

    name: str
    image: Path
    mask: Path


@final
class SegmentationFiles(SegmentationData):
    """Images and masks in files.

    Args:
        examples: The files.
        class_names: Names by label id.
        ignore_class: Label of pixels to leave out.
        palette: RGB colours by label id; VOC's by default.
        label_map: Label id by pixel value of the mask files; values that it lacks stay.

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

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads one element.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If one is damaged, or image and mask differ in size.
        """
        example = self.examples[index]
        image, labels = read_image(example.image), read_mask(example.mask, self.label_map)
        if image.shape[:2] != labels.shape:
            raise ValueError(
                f"Image and mask must have one size. Received: {example.image} of "
                f"{image.shape[:2]} and {example.mask} of {labels.shape}."
            )
        return {"image": image, "labels": labels, "name": example.name}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def stream(self, *, shuffle: bool = False, seed: int = 0, start: int = 0) -> Any:
        import tensorflow as tf

        size = len(self)

        def read(index: np.int64) -> tuple[np.ndarray, np.ndarray, str]:
            element = self[int(index)]
            return element["image"], element["labels"].astype("int32"), element["name"]

        def load(position: tf.Tensor) -> dict[str, tf.Tensor]:
            index = position % size
            if shuffle:
                # An order of each pass that can be entered anywhere.
                index = tf.random.experimental.index_shuffle(
                    index, [seed, 0, position // size], size - 1
                )
            image, labels, name = tf.numpy_function(
                read, [index], [tf.uint8, tf.int32, tf.string], stateful=False
            )
            return {
                "image": tf.ensure_shape(image, (None, None, 3)),
                "labels": tf.ensure_shape(labels, (None, None)),
                "name": tf.ensure_shape(name, ()),
                "position": position,
            }

        positions = tf.data.Dataset.range(start, np.iinfo("int64").max)
        return positions.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
