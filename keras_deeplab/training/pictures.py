"""Pictures of a network's predictions during training."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.inference import InferenceOptions, open_segmenter
from keras_deeplab.visualize import blend

_HEIGHT = 200


class PredictionSheet:
    """Draws a few images with their true and predicted labels, one per row.

    Args:
        network: The network.
        data: Data source, from which evenly spaced images are used.
        folder: Folder of the pictures, which are named "epoch_003.png".
        number: Number of images.
        size: (height, width) that images are resized to fit, pixels.
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
        self.palette = data.palette
        self.classes = len(data.class_names)
        step = max(1, len(data) // max(1, number))
        self.elements = list(islice(data, 0, step * number, step)) if number else []

    def __call__(self, epoch: int) -> None:
        if not self.elements:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        images = (element["image"] for element in self.elements)
        scores = self.segmenter.predict(images, self.options)
        rows = [
            _row(self._panels(element, one.labels()))
            for element, one in zip(self.elements, scores, strict=True)
        ]
        sheet = Image.new("RGB", (max(x.width for x in rows), sum(x.height for x in rows)), "white")
        top = 0
        for row in rows:
            sheet.paste(row, (0, top))
            top += row.height
        sheet.save(self.folder / f"epoch_{epoch:03d}.png")

    def _panels(self, element: dict[str, Any], predicted: np.ndarray) -> list[np.ndarray]:
        image = element["image"]
        # Ignored pixels are white.
        palette = (*self.palette[: self.classes], (255, 255, 255))
        truth = np.where(element["labels"] < self.classes, element["labels"], self.classes)
        return [
            image,
            *(blend(image, labels, palette, opacity=0.7) for labels in (truth, predicted)),
        ]


def _row(panels: list[np.ndarray]) -> Image.Image:
    images = [Image.fromarray(panel) for panel in panels]
    width = max(1, round(images[0].width * _HEIGHT / images[0].height))
    row = Image.new("RGB", (len(images) * (width + 4), _HEIGHT + 4), "white")
    for index, image in enumerate(images):
        row.paste(image.resize((width, _HEIGHT)), (index * (width + 4), 0))
    return row
