"""`Segmenter`: from photos to class scores, for every format of a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_deeplab._validation import listed
from keras_deeplab.inference.dense_crf import resolve_crf
from keras_deeplab.inference.fitting import (
    fit_image,
    fitted_size,
)
from keras_deeplab.inference.interpolation import resized_scores, softmax
from keras_deeplab.inference.options import InferenceOptions, Size
from keras_deeplab.inference.scores import Scores
from keras_deeplab.inference.streaming import WORKERS, batched, in_order
from keras_deeplab.inference.window_bands import band_labels, gathered, window_bands
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
        size = self.inference_size
        fit = f", photos resized to fit {size[0]}x{size[1]}" if size else ""
        names = f"{len(self.class_names)} classes ({listed(self.class_names, 4)})"
        return f"Segmenter({self.name}: {names}, returns {self.output}{fit})"

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
        fixed = self.input_shape[1:3]
        problem = None
        if self.output == "labels" and (options.crf or options.averages):
            purpose = "a CRF" if options.crf else "the mean over scales, mirror images or windows"
            raise ValueError(
                f"A network must return scores for {purpose}. Received: {self.name}, which "
                f"returns labels. Export it without argmax."
            )
        if fixed == (None, None):
            return
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

    def fitted(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        single = size is not None and not options.averages
        return photo, fit_image(photo, size) if single and size else None

    workers = options.workers or WORKERS
    prepared = in_order(fitted, images, workers=workers, ahead=photos_at_once + workers)
    for batch in batched(prepared, photos_at_once):
        start = time.perf_counter()
        photos = [photo for photo, _ in batch]
        if options.averages:
            # Scores that are not finite are reported with their photo.
            with np.errstate(invalid="ignore"):
                if options.sliding_window and size is not None:
                    values, kind = _over_windows(run, photos[0], options, size, labels_only)
                else:
                    values, kind = _averaged(run, photos, options, size), "probabilities"
        else:
            inputs = (photo if image is None else image for photo, image in batch)
            values, kind = list(_cropped(run(inputs), photos, size)), network.output
        seconds = (time.perf_counter() - start) / len(batch)
        for photo, value in zip(photos, values, strict=True):
            scores = Scores(value, kind, photo, seconds)
            yield scores.refined(crf) if crf else scores


def _cropped(
    outputs: Iterable[np.ndarray], photos: list[np.ndarray], size: Size | None
) -> Iterator[np.ndarray]:
    """Yields the scores of photos without the padding."""
    for output, photo in zip(outputs, photos, strict=True):
        own = (photo.shape[0], photo.shape[1])
        height, width = own if size is None else fitted_size(own, size)
        yield output[:height, :width]


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

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Returns probabilities of the network's scores."""
        return softmax(scores) if self.output == "logits" else scores


def _averaged(
    run: _BatchRun, photos: list[np.ndarray], options: InferenceOptions, size: Size | None
) -> list[np.ndarray]:
    """Returns the mean probabilities over scales and flips, at the resized photos' size."""
    sizes = [(photo.shape[0], photo.shape[1]) for photo in photos]
    if size is not None:
        sizes = [fitted_size(own, size) for own in sizes]
    totals = [np.zeros((), "float32")] * len(photos)
    steps = (1, -1)[: 1 + options.flip]
    for scale in options.scales:
        for step in steps:
            seen = [np.ascontiguousarray(photo[:, ::step]) for photo in photos]
            found = _at_scale(run, seen, sizes, size, scale)
            totals = [total + one[:, ::step] for total, one in zip(totals, found, strict=True)]
    return [total / (len(options.scales) * len(steps)) for total in totals]


def _over_windows(
    run: _BatchRun, photo: np.ndarray, options: InferenceOptions, size: Size, labels_only: bool
) -> tuple[list[np.ndarray], str]:
    def probabilities(images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        return (run.probabilities(output.astype("float32")) for output in run(images))

    bands = window_bands(probabilities, photo, options, size)
    own = (photo.shape[0], photo.shape[1])
    if labels_only:
        return [band_labels(bands, own)], "labels"
    return [gathered(bands, own)], "probabilities"


def _at_scale(
    run: _BatchRun, photos: list[np.ndarray], sizes: list[Size], size: Size | None, scale: float
) -> list[np.ndarray]:
    # 513 becomes 257 and 897, so that features stay aligned with the pixels of the photo.
    height, width = (max(1, round(scale * (length - 1)) + 1) for length in size or sizes[0])
    outputs = run(fit_image(photo, (height, width)) for photo in photos)
    return [
        run.probabilities(resized_scores(values, target))
        for values, target in zip(_cropped(outputs, photos, (height, width)), sizes, strict=True)
    ]
