"""Segments photos: files, folders, PIL images and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_deeplab.data.images import folder_images, read_image
from keras_deeplab.inference.dense_crf import DenseCRF, resolve_crf
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.passes import Passes, find_passes, predict
from keras_deeplab.inference.scores import resized_labels, resized_scores, softmax
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.presets.datasets import Palette
from keras_deeplab.visualize import blend, palette_image, with_legend

OVERLAY_SIZE = 2048


@dataclass(frozen=True)
class Segmentation:
    """The mask of one photo.

    Attributes:
        image: The photo, uint8 array of shape (height, width, 3).
        labels: Label ids, array of shape (height, width), uint8 (uint16 above 256 classes).
        class_names: Names by label id.
        palette: RGB colours by label id.
        probabilities: float32 array of shape (height, width, classes), or None unless asked for.
        name: Stem of the photo's file name, or "photo".
    """

    image: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    palette: Palette
    probabilities: np.ndarray | None = None
    name: str = "photo"

    def shares(self) -> dict[str, float]:
        """Returns the share of the pixels, 0 to 1, of every class there is, largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.class_names))
        order = np.argsort(-counts, kind="stable")
        return {
            self.class_names[i]: float(counts[i] / self.labels.size) for i in order if counts[i]
        }

    def overlay(self, *, opacity: float = 0.5, legend: bool = True) -> Image.Image:
        """Returns the photo with the classes' colours laid over it.

        Args:
            opacity: 0 shows the photo, 1 the colours.
            legend: Whether names, shares and colours stand to the right of it.

        Returns:
            RGB image. The photo's longer side is scaled down to 2048 pixels where it is more.
        """
        shown = self.at_most(OVERLAY_SIZE)
        blended = blend(shown.image, shown.labels, self.palette, opacity=opacity)
        if not legend:
            return Image.fromarray(blended)
        colours = dict(zip(self.class_names, self.palette, strict=True))
        return with_legend(
            blended, [(name, share, colours[name]) for name, share in self.shares().items()]
        )

    def at_most(self, side: int) -> Segmentation:
        """Returns it with photo and mask scaled down until no side is longer than ``side`` pixels.

        The mask takes the labels of the nearest pixels; probabilities are left out.
        """
        scale = side / max(self.labels.shape)
        if scale >= 1:
            return self
        size = [max(1, round(length * scale)) for length in reversed(self.labels.shape)]
        image = Image.fromarray(self.image).resize(size, Image.Resampling.BILINEAR)
        labels = Image.fromarray(self.labels).resize(size, Image.Resampling.NEAREST)
        return replace(self, image=np.asarray(image), labels=np.asarray(labels), probabilities=None)

    def save(
        self, folder: str | Path = ".", *, name: str | None = None, opacity: float = 0.5
    ) -> tuple[Path, Path]:
        """Writes ``{name}_mask.png`` and ``{name}_overlay.png``.

        The mask's pixel values are the label ids, with the dataset's colours as its palette.

        Args:
            folder: Folder to write into; made where there is none.
            name: Start of the file names; the photo's own by default.
            opacity: As in `overlay`.

        Returns:
            The paths of mask and overlay.
        """
        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        mask = folder / f"{name or self.name}_mask.png"
        overlay = folder / f"{name or self.name}_overlay.png"
        palette_image(self.labels, self.palette).save(mask)
        self.overlay(opacity=opacity).save(overlay, compress_level=1)
        return mask, overlay


def segment(
    model: Any,
    image: str | Path | Image.Image | np.ndarray | Sequence[Any],
    *,
    size: int | tuple[int, int] | str | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    sliding_window: bool = False,
    crf: DenseCRF | str | bool = False,
    probabilities: bool = False,
    class_names: Sequence[str] | None = None,
) -> Any:
    """Segments one photo, or several.

    A photo is scaled to fit into the size that the network was trained for and padded with grey
    there; the scores are scaled back to the photo. So photos of any size and shape do, in little
    memory.

    Args:
        model: A model of `DeepLab`, or any that maps RGB 0-255 to scores of the same height and
            width; or what else `keras_deeplab.inference.open_segmenter` takes, such as the path of
            an export.
        image: A path, a PIL image or an array of one photo (height, width[, channels]); or several
            photos: a folder, a sequence of the former, or an array (batch, height, width, 3).
        size: Side of the square in pixels, or (height, width), that the photo is fitted into.
            Left out: what the model was trained for, else that of the dataset of its classes
            (VOC: 513), or 513. A model of fixed input size ignores it. "own" leaves the photo as
            it is.
        scales: Factors of the size to run at; the probabilities are averaged.
        flip: Whether to run on the mirror image too, and average.
        sliding_window: Whether to leave the photo as large as it is and pass windows of `size`
            over it: for photos of much more pixels than the network was trained on.
        crf: Whether to refine the scores with a fully connected CRF: True, the name of a preset
            ("v2_resnet101", ...), or a `DenseCRF`. It runs at the size the network saw.
        probabilities: Whether to keep the probabilities, height x width x classes floats.
        class_names: Names by label id. Left out: those that the model carries.

    Returns:
        A `Segmentation`, or for several photos a list of them.

    Raises:
        ValueError: If a photo can't be read, or the model's outputs are not class scores.
        FileNotFoundError: If there is no such file.

    Example:

    >>> model = DeepLab(weights="voc")  # doctest: +SKIP
    >>> result = segment(model, "cat.jpg")  # doctest: +SKIP
    >>> result.save("masks")  # doctest: +SKIP
    """
    segmenter = open_segmenter(model, class_names=class_names)
    if segmenter.output == "labels" and (crf or probabilities):
        raise ValueError(
            f"A network must return scores for a CRF and for probabilities. Received: "
            f"{segmenter.name}, which returns labels. Export it without argmax."
        )
    options: dict[str, Any] = dict(
        passes=find_passes(
            size,
            default=segmenter.inference_size,
            scales=scales,
            flip=flip,
            sliding_window=sliding_window,
        ),
        crf=resolve_crf(crf),
        probabilities=probabilities,
    )
    if isinstance(image, (str, Path)) and Path(image).expanduser().is_dir():
        image = list(folder_images(image))
    several = isinstance(image, (list, tuple)) or (
        not isinstance(image, (str, Path, Image.Image)) and np.ndim(image) == 4
    )
    if several:
        return [_segment_one(segmenter, one, **options) for one in image]  # type: ignore[union-attr]
    return _segment_one(segmenter, image, **options)


def _segment_one(
    model: Segmenter, source: Any, *, passes: Passes, crf: DenseCRF | None, probabilities: bool
) -> Segmentation:
    image = read_image(source)
    are_logits = model.output == "logits"
    scores = predict(model, image, passes, from_logits=are_logits)
    are_logits = are_logits and not passes.are_averaged
    if crf is not None:
        refined = crf(scores.scores, scores.image, from_logits=are_logits)
        scores, are_logits = scores._replace(scores=refined), False
    resized = None
    if probabilities:
        resized = resized_scores(scores)
        resized = softmax(resized) if are_logits else resized
    return Segmentation(
        image=image,
        labels=resized_labels(scores),
        class_names=model.class_names,
        palette=model.palette,
        probabilities=resized,
        name=Path(source).stem if isinstance(source, (str, Path)) else "photo",
    )
