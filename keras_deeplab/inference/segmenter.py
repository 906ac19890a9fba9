"""`Segmenter`: from photos to class scores, for every format of a network."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_deeplab._validation import listed
from keras_deeplab.inference.dense_crf import resolve_crf
from keras_deeplab.inference.fitting import fit_image, fitted_size
from keras_deeplab.inference.interpolation import resized_scores, softmax
from keras_deeplab.inference.options import InferenceOptions, Size
from keras_deeplab.inference.scores import Scores, check_scores
from keras_deeplab.inference.streaming import WORKERS, batched, in_order
from keras_deeplab.inference.window_bands import over_windows
from keras_deeplab.presets.datasets import Palette


@dataclass(frozen=True, eq=False, repr=False)
class Segmenter:
    """A network with the metadata that is needed to interpret its outputs.

    Attributes:
        run: Function from images, RGB 0-255, uint8 of shape (batch, height, width, 3), to scores
            of shape (batch, height, width, classes) or labels of shape (batch, height, width).
        input_shape: (batch, height, width, 3); None for dynamic dimensions.
        output: "logits", "probabilities" or "labels".
        class_names: Names by label id.
        palette: RGB colours by label id.
        ignore_class: Label that was ignored in training.
        inference_size: Default (height, width) that photos are resized to fit.
        name: Name of the model or its file.
        batch_size: Default number of images per forward pass.
    """

    run: Callable[[np.ndarray], np.ndarray]
    input_shape: tuple[int | None, ...]
    output: str
    class_names: tuple[str, ...]
    palette: Palette
    ignore_class: int
    inference_size: Size
    name: str
    batch_size: int = 1

    def __repr__(self) -> str:
        height, width = self.inference_size
        names = f"{len(self.class_names)} classes ({listed(self.class_names, 4)})"
        fit = f"photos resized to fit {height}x{width}"
        return f"Segmenter({self.name}: {names}, returns {self.output}, {fit})"

    def predict(
        self,
        images: Iterable[np.ndarray],
        options: InferenceOptions | None = None,
        *,
        labels_only: bool = False,
    ) -> Iterator[Scores]:
        """Computes the scores of photos.

        Photos are read from `images` one batch at a time and resized in threads while the network
        runs, so memory use does not grow with their number.

        Args:
            images: Photos, uint8 arrays of shape (height, width, 3) of any sizes.
            options: Size, scales, flip, sliding window, CRF and batch size.
            labels_only: Whether only the labels are needed. With a sliding window, scores of the
                kind "labels" are then returned, whose memory use does not grow with the number
                of classes.

        Returns:
            Iterator over the scores, in the order of the photos. A single forward pass returns
            the network's scores at the size of the resized photo; several passes return the mean
            of their probabilities; a CRF returns probabilities.

        Raises:
            ValueError: If the network does not support the options.

        Example:

        >>> import keras
        >>> from keras_deeplab import open_segmenter
        >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
        >>> photos = [np.zeros((40, 80, 3), "uint8")]
        >>> (scores,) = open_segmenter(model).predict(photos, InferenceOptions(size=64))
        >>> scores.size, scores.kind
        ((32, 64), 'logits')
        """
        options = options or InferenceOptions()
        self.check(options)
        return _predict(self, images, options, labels_only=labels_only and not options.crf)

    def resolve_size(self, options: InferenceOptions) -> Size | None:
        """Returns the (height, width) of the network's input, or None for each photo's size."""
        size = options.resolve_size(self.inference_size)
        height, width = self.input_shape[1:3]
        return size and (height or size[0], width or size[1])

    def check(self, options: InferenceOptions) -> None:
        """Raises `ValueError` if the network does not support the options."""
        if options.crf or options.averages:
            purpose = "a CRF" if options.crf else "the mean over scales, mirror images or windows"
            check_scores(self.output, purpose, self.name)
        fixed = self.input_shape[1:3]
        if fixed == (None, None):
            return
        problem = None
        if options.scales != (1.0,) and not options.sliding_window:
            problem = "be run at several scales"
        elif options.size == "own":
            problem = "see photos at their own size"
        if problem:
            raise ValueError(
                f"A network must take images of any size to {problem}. Received: {self.name}, "
                f"which takes {fixed[0]}x{fixed[1]}. Build or export it with dynamic sizes, or use "
                f"a sliding window."
            )

    def protocol(self, options: InferenceOptions) -> dict[str, Any]:
        """Returns the effective settings for this network, as JSON-serialisable values."""
        size = self.resolve_size(options)
        crf = resolve_crf(options.crf)
        return {
            "size": "own" if size is None else list(size),
            "scales": list(options.scales),
            "flip": options.flip,
            "sliding_window": options.sliding_window,
            "crf": None if crf is None else vars(crf).copy(),
        }


def _predict(
    network: Segmenter,
    images: Iterable[np.ndarray],
    options: InferenceOptions,
    *,
    labels_only: bool,
) -> Iterator[Scores]:
    size, crf = network.resolve_size(options), resolve_crf(options.crf)
    run = _BatchRun(network, options.batch_size)
    # Photos at their own size rarely have equal sizes, and batched scores could fill the memory.
    photos_at_once = 1 if size is None or options.sliding_window else run.size

    def fitted(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return photo, photo if size is None or options.averages else fit_image(photo, size)

    workers = options.workers or WORKERS
    prepared = in_order(fitted, images, workers=workers, ahead=photos_at_once + workers)
    for batch in batched(prepared, photos_at_once):
        start = time.perf_counter()
        photos, kind = [photo for photo, _ in batch], "probabilities"
        # Scores that are not finite are reported with their photo.
        with np.errstate(invalid="ignore"):
            if not options.averages:
                values, kind = _cropped(run(image for _, image in batch), photos, size), run.output
            elif options.sliding_window and size is not None:
                values = [
                    over_windows(
                        run.probabilities, photos[0], options, size, labels_only=labels_only
                    )
                ]
                kind = "labels" if labels_only else kind
            else:
                values = _averaged(run, photos, options, size)
        seconds = (time.perf_counter() - start) / len(batch)
        for photo, value in zip(photos, values, strict=True):
            scores = Scores(value, kind, photo, seconds)
            yield scores.refined(crf) if crf else scores


class _BatchRun:
    """Runs images of one size in batches.

    After the first full batch, shorter batches are padded, because a new batch size would compile
    a new graph.
    """

    def __init__(self, network: Segmenter, batch_size: int | None) -> None:
        fixed = network.input_shape[0]
        self.run = network.run
        self.output = network.output
        self.size = fixed or batch_size or network.batch_size
        self.fills = fixed is not None

    def __call__(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for batch in batched(images, self.size):
            missing = self.size - len(batch)
            self.fills = self.fills or not missing
            stack = np.stack(batch + batch[-1:] * (missing if self.fills else 0))
            yield from self.run(stack)[: len(batch)]

    def as_probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Returns probabilities of float32 scores, in place."""
        return softmax(scores) if self.output == "logits" else scores

    def probabilities(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Runs images and yields their probabilities."""
        return (self.as_probabilities(output.astype("float32")) for output in self(images))


def _cropped(
    outputs: Iterable[np.ndarray], photos: list[np.ndarray], size: Size | None
) -> list[np.ndarray]:
    """Returns the scores of photos without the padding."""
    sizes = [_size_in(size, photo) for photo in photos]
    return [out[:height, :width] for out, (height, width) in zip(outputs, sizes, strict=True)]


def _size_in(box: Size | None, photo: np.ndarray) -> Size:
    return (photo.shape[0], photo.shape[1]) if box is None else fitted_size(photo.shape[:2], box)


def _averaged(
    run: _BatchRun, photos: list[np.ndarray], options: InferenceOptions, size: Size | None
) -> list[np.ndarray]:
    """Returns the mean probabilities over scales and flips, at the resized photos' size."""
    sizes = [_size_in(size, photo) for photo in photos]
    passes = list(itertools.product(options.scales, (1, -1)[: 1 + options.flip]))
    totals = [np.zeros((), "float32")] * len(photos)
    for scale, step in passes:
        # 513 becomes 257 and 897, so that features stay aligned with the pixels of the photo.
        height, width = (max(1, round(scale * (length - 1)) + 1) for length in size or sizes[0])
        seen = (np.ascontiguousarray(photo[:, ::step]) for photo in photos)
        outputs = run(fit_image(photo, (height, width)) for photo in seen)
        found = zip(_cropped(outputs, photos, (height, width)), sizes, strict=True)
        for number, (values, own) in enumerate(found):
            probabilities = run.as_probabilities(resized_scores(values, own))
            totals[number] = totals[number] + probabilities[:, ::step]
    return [total / len(passes) for total in totals]
