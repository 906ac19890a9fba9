"""A network that answers by colour, and images whose truth it nearly gets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data import Example, SegmentationFiles
from keras_deeplab.layers import SegmentationOutput

NAMES = ("red", "green", "blue", "grey")


def colour_model(names=NAMES, shape=(None, None, 3)) -> keras.Model:
    """Label 0, 1 or 2 is the strongest of red, green and blue; the further ones never win."""
    image = keras.Input(shape)
    scores = keras.layers.Rescaling(0.02)(image)
    rest = [scores[..., :1] * 0 - 9] * (len(names) - 3)
    scores = keras.layers.Concatenate()([scores, *rest])
    return keras.Model(image, SegmentationOutput(names)(scores), name="colours")


def picture(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of colour with wrong pixels in between, a strip of them ignored."""
    blocks = rng.integers(0, 3, (height // 5 + 1, width // 5 + 1))
    truth = blocks.repeat(5, 0).repeat(5, 1)[:height, :width].astype("uint8")
    shown = np.where(rng.random(truth.shape) < 0.1, (truth + 1) % 3, truth)
    image = np.full((height, width, 3), 30, "uint8")
    np.put_along_axis(image, shown[..., None], 220, axis=2)
    truth[height // 2] = 255
    return image, truth


@pytest.fixture
def model() -> keras.Model:
    return colour_model()


@pytest.fixture
def examples(rng) -> list[dict]:
    sizes = [(20, 30), (31, 22), (25, 25), (40, 17), (16, 48)]
    found = []
    for number, size in enumerate(sizes):
        image, truth = picture(rng, *size)
        found.append({"image": image, "labels": truth, "name": f"photo_{number}"})
    return found


@pytest.fixture
def files(examples, tmp_path) -> SegmentationFiles:
    listed = []
    for element in examples:
        image, mask = (tmp_path / f"{element['name']}{end}.png" for end in ("", "_mask"))
        Image.fromarray(element["image"]).save(image)
        Image.fromarray(element["labels"]).save(mask)
        listed.append(Example(element["name"], image, mask))
    return SegmentationFiles(listed, class_names=NAMES)
