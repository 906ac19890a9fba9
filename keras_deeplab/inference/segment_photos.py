"""Segments photos: files, folders, PIL images and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Any, TypeVar, Unpack

import numpy as np
from PIL import Image

from keras_deeplab.data.images import folder_images, read_image
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.options import InferenceOptions, InferenceSettings, resolve_options
from keras_deeplab.inference.scores import Scores, check_scores
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.streaming import WORKERS, in_order

_Result = TypeVar("_Result")


@dataclass(eq=False, repr=False)
class Segmentations(Sequence[Segmentation]):
    """The masks of several photos, computed on access and not stored.

    Iteration processes the photos in batches while threads read the next ones. An index processes
    one photo; a slice processes none. Every access runs the network again, so store results that
    you need more than once.

    Args:
        segmenter: The network.
        photos: Paths, PIL images or arrays.
        options: Size, scales, flip, sliding window, CRF and batch size.
        probabilities: Whether the results include probabilities.
        names: Names of the results. Default: distinct names from those of the files.
    """

    segmenter: Segmenter
    photos: Sequence[Any]
    options: InferenceOptions
    _: KW_ONLY
    probabilities: bool = False
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Checks that the network supports the options."""
        self.segmenter.check(self.options)
        self.names = self.names or distinct_names(self.photos)

    def __repr__(self) -> str:
        return f"Segmentations({len(self)} photos, computed by {self.segmenter.name} on access)"

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            index = range(len(self))[index]
            return next(iter(self[index : index + 1]))
        return replace(self, photos=self.photos[index], names=self.names[index])

    def __iter__(self) -> Iterator[Segmentation]:
        for result in self.outcomes(lambda number, segmentation: segmentation):
            if isinstance(result, Exception):
                raise result
            yield result

    def outcomes(
        self, finish: Callable[[int, Segmentation], _Result]
    ) -> Iterator[_Result | Exception]:
        """Yields ``finish(index, segmentation)`` of each photo, computed in threads, in order.

        For a photo that fails, the `ValueError` or `OSError` is yielded instead.
        """
        workers = self.options.workers or WORKERS
        ahead = (self.options.batch_size or self.segmenter.batch_size) + workers
        images, again = tee(in_order(_read, self.photos, workers=workers, ahead=ahead))
        scores = self.segmenter.predict(
            (image for image in again if not isinstance(image, Exception)),
            self.options,
            labels_only=not self.probabilities,
        )

        def build(item: tuple[int, Scores | Exception]) -> _Result | Exception:
            number, one = item
            if isinstance(one, Exception):
                return one
            try:
                result = Segmentation(
                    image=one.photo,
                    labels=one.labels(),
                    class_names=self.segmenter.class_names,
                    palette=self.segmenter.palette,
                    probabilities=one.probabilities() if self.probabilities else None,
                    name=self.names[number],
                )
                return finish(number, result)
            except (ValueError, OSError) as error:
                return error

        items = (image if isinstance(image, Exception) else next(scores) for image in images)
        return in_order(build, enumerate(items), workers=workers, ahead=2 * workers)


def distinct_names(photos: Sequence[Any]) -> list[str]:
    """Returns a name per photo, such that no result overwrites another.

    Names that differ only in case are one on many file systems.

    Example:

    >>> distinct_names(["a.jpg", "a.png", "b/A.jpg", "c.jpg"])
    ['a', 'a_2', 'A_3', 'c']
    """
    names: list[str] = []
    numbers: dict[str, int] = {}
    for photo in photos:
        name = own = Path(photo).stem if isinstance(photo, (str, Path)) else "photo"
        while name.casefold() in numbers:
            numbers[own.casefold()] += 1
            name = f"{own}_{numbers[own.casefold()]}"
        numbers[name.casefold()] = 1
        names.append(name)
    return names


def segment(
    model: Any,
    image: str | Path | Image.Image | np.ndarray | Sequence[Any],
    *,
    options: InferenceOptions | None = None,
    probabilities: bool = False,
    class_names: Sequence[str] | None = None,
    **settings: Unpack[InferenceSettings],
) -> Any:
    """Segments one photo, or several.

    Each photo is resized to fit the size that the network was trained for and padded with grey;
    the scores are resized back to the photo. Photos can have any size and shape, and memory use is
    bounded.

    Args:
        model: A model of `DeepLab`; any model from RGB 0-255 to scores of the same height and
            width; the path of a `.keras`, `.tflite` or `.onnx` file or of a SavedModel folder; or
            a `keras_deeplab.inference.Segmenter`.
        image: One photo: a path, a PIL image or an array (height, width[, channels]). Several
            photos: a folder, a sequence of these, or an array (batch, height, width, 3).
        options: Size, scales, flip, sliding window, CRF and batch size.
        probabilities: Whether to keep the probabilities, height x width x classes floats.
        class_names: Names by label id. Default: those stored in the model.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`, which replace those of
            `options`: ``size=513``, ``scales=(0.75, 1, 1.25)``, ``flip=True``,
            ``sliding_window=True``, ``crf=True``, ``batch_size=4``.

    Returns:
        A `Segmentation`; for several photos a sequence of them, `Segmentations`, that is computed
        during iteration and stores no results.

    Raises:
        ValueError: If a photo cannot be read, or the model's outputs are not class scores.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> model = DeepLab(weights="voc")  # doctest: +SKIP
    >>> segment(model, "cat.jpg").save("masks")  # doctest: +SKIP
    >>> for result in segment(model, "photos/", crf=True):  # doctest: +SKIP
    ...     result.save("masks")
    """
    options = resolve_options(options, settings)
    segmenter = open_segmenter(model, class_names=class_names)
    if probabilities:
        check_scores(segmenter.output, "probabilities", segmenter.name)
    several = _several(image)
    photos = [image] if several is None else several
    results = Segmentations(segmenter, photos, options, probabilities=probabilities)
    return results[0] if several is None else results


def _several(image: Any) -> Sequence[Any] | None:
    if isinstance(image, (str, Path)) and Path(image).expanduser().is_dir():
        return list(folder_images(image))
    if isinstance(image, (list, tuple)):
        return image
    is_array = not isinstance(image, (str, Path, Image.Image)) and np.ndim(image) == 4
    return list(image) if is_array else None


def _read(source: Any) -> np.ndarray | Exception:
    try:
        return read_image(source)
    except (ValueError, OSError) as error:
        return error
