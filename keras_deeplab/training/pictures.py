"""Pictures of a network's predictions during training."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import keras
import numpy as np

from keras_deeplab._files import make_folder, write_atomically
from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.inference import InferenceOptions, open_segmenter
from keras_deeplab.training.callbacks import processes
from keras_deeplab.visualize import blend, display_palette, side_by_side, with_legend

_HEIGHT = 200


class PredictionSheet:
    """Draws evenly spaced images with true and predicted labels, one per row, and a legend.

    It writes "epoch_003.png" to `folder`, for networks that resize images to fit `size`.
    """

    def __init__(
        self,
        network: keras.Model,
        data: SegmentationData,
        folder: Path,
        *,
        number: int,
        size: tuple[int, int],
    ) -> None:
        self.segmenter = open_segmenter(network)
        self.options = InferenceOptions(size=size)
        self.folder = folder
        self.class_names = data.class_names
        self.palette = display_palette(data.palette[: len(data.class_names)])
        if processes()[1] > 1:
            number = 0  # one image cannot be split among processes
        step = max(1, len(data) // max(1, number))
        self.elements = list(islice(data, 0, step * number, step)) if number else []

    def __call__(self, epoch: int) -> None:
        if not self.elements:
            return
        make_folder(self.folder)
        images = (element["image"] for element in self.elements)
        found = [one.labels() for one in self.segmenter.predict(images, self.options)]
        panels: dict[str, np.ndarray] = {}
        for number, (element, labels) in enumerate(zip(self.elements, found, strict=True), 1):
            panels[f"image {number}"] = element["image"]
            panels[f"truth {number}"] = self._overlay(element["image"], element["labels"])
            panels[f"prediction {number}"] = self._overlay(element["image"], labels)
        sheet = np.asarray(side_by_side(panels, height=_HEIGHT, columns=3))
        shown = [*found, *(element["labels"] for element in self.elements)]
        present = np.unique(np.concatenate([labels.ravel() for labels in shown]))
        entries = [
            (self.class_names[label], None, self.palette[label])
            for label in present
            if label < len(self.class_names)
        ]
        with write_atomically(self.folder / f"epoch_{epoch:03d}.png") as partial:
            with_legend(sheet, entries).save(partial)

    def _overlay(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        # Ignored pixels are white.
        classes = len(self.class_names)
        palette = (*self.palette, (255, 255, 255))
        return blend(image, np.where(labels < classes, labels, classes), palette, opacity=0.6)
