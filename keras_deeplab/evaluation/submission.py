"""Writes masks for the evaluation servers of the datasets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import tee
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_deeplab._files import make_folder, read_text, write_atomically
from keras_deeplab._validation import check_choice
from keras_deeplab.data.images import folder_images, read_image
from keras_deeplab.inference import (
    InferenceOptions,
    InferenceSettings,
    Scores,
    in_order,
    open_segmenter,
    resolve_options,
)
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.label_maps import CITYSCAPES_LABEL_IDS
from keras_deeplab.visualize import palette_image

# Folder in the VOC development kit for segmentation with any training data.
_VOC_FOLDER = Path("results", "VOC2012", "Segmentation", "comp6_test_cls")
KINDS = ("voc", "cityscapes")


def write_submission(
    model: Any,
    images: str | Path | Iterable[tuple[str, Any]],
    folder: str | Path,
    *,
    kind: str,
    progressbar: bool | None = True,
    options: InferenceOptions | None = None,
    **settings: Unpack[InferenceSettings],
) -> list[Path]:
    """Writes masks of test images in the format of a dataset's evaluation server.

    VOC: ``results/VOC2012/Segmentation/comp6_test_cls/{name}.png`` with VOC's palette; archive the
    folder ``results`` for submission. Cityscapes: ``{name}.png`` with label ids, not trainIds.

    Args:
        model: A model of `DeepLab`, another `keras.Model`, the path of an exported file, or a
            `keras_deeplab.inference.Segmenter`.
        images: Pairs of name and image; a folder of image files; or the folder of the dataset, of
            which the test images are used.
        folder: Folder to write to; created if it does not exist.
        kind: "voc" or "cityscapes".
        progressbar: Whether to show a progress bar; None: only in a terminal.
        options: Size, scales, flip, sliding window, CRF and batch size. With a CRF, its masks are
            written.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`, which replace those of
            `options`.

    Returns:
        The files, in the order of the images.

    Raises:
        FileNotFoundError: If the folder or a file does not exist.
        ValueError: If there are no images, or the network has other classes.

    Example:

    >>> write_submission(model, "VOCdevkit", "masks", kind="voc")  # doctest: +SKIP
    """
    check_choice("kind", kind, KINDS)
    row = DATASETS[kind]
    segmenter = open_segmenter(model, fallback_names=row.class_names)
    if len(segmenter.class_names) != len(row.class_names):
        raise ValueError(
            f"The network must have the {len(row.class_names)} classes of {row.title}. Received: "
            f"{segmenter.name} with {len(segmenter.class_names)}."
        )
    options = resolve_options(options, settings)
    if isinstance(images, (str, Path)):
        images = [(path.stem, path) for path in submission_images(images, kind)]
    target = Path(folder).expanduser() / (_VOC_FOLDER if kind == "voc" else "")
    make_folder(target)
    pairs, again = tee(in_order(lambda pair: (pair[0], read_image(pair[1])), images))
    scores = segmenter.predict((image for _, image in again), options, labels_only=True)

    def write(item: tuple[tuple[str, Any], Scores]) -> Path:
        (name, _), one = item
        path = target / f"{name}.png"
        with write_atomically(path) as partial:
            _picture(one.labels(), kind).save(partial)
        return path

    written = list(
        tqdm(
            in_order(write, zip(pairs, scores, strict=True)),
            desc=segmenter.name,
            unit="image",
            disable=None if progressbar is None else not progressbar,
        )
    )
    if not written:
        raise ValueError("There must be images. Received: none.")
    return written


def submission_images(folder: str | Path, kind: str, split: str = "test") -> list[Path]:
    """Returns the images of a split for which a dataset's evaluation server expects masks.

    `folder` is that of the dataset, or one of image files.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder of images must exist. Received: {str(folder)!r}.")
    if kind == "cityscapes":
        found = sorted(folder.glob(f"leftImg8bit/{split}/*/*_leftImg8bit.png"))
        return found or list(folder_images(folder))
    for inner in (folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012"):
        names = inner / "ImageSets" / "Segmentation" / f"{split}.txt"
        if names.exists():
            return [inner / "JPEGImages" / f"{name}.jpg" for name in read_text(names).split()]
    return list(folder_images(folder))


def _picture(labels: np.ndarray, kind: str) -> Image.Image:
    if kind == "voc":
        return palette_image(labels.astype("uint8"), DATASETS["voc"].palette)
    ids = {index: label for label, index in CITYSCAPES_LABEL_IDS.items() if index != 255}
    return Image.fromarray(np.array([ids[i] for i in range(len(ids))], "uint8")[labels])
