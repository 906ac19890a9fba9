"""Checks of model, data and folder before training."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.training.preconditions import check_classes, check_files

NAMES = ("background", "cat")


def model(activation: str | None = None) -> keras.Model:
    image = keras.Input((None, None, 3))
    scores = keras.layers.Conv2D(2, 1)(image)
    return keras.Model(image, SegmentationOutput(NAMES, activation)(scores))


def files(folder: Path, mask: np.ndarray, names=NAMES) -> SegmentationFiles:
    Image.fromarray(np.zeros((4, 6, 3), "uint8")).save(folder / "a.png")
    Image.fromarray(mask).save(folder / "a_mask.png")
    example = Example("a", folder / "a.png", folder / "a_mask.png")
    return SegmentationFiles([example], class_names=names)


def test_classes_must_be_the_same(tmp_path: Path):
    mask = np.zeros((4, 6), "uint8")
    check_classes(model(), files(tmp_path, mask), None)
    with pytest.raises(ValueError, match="a model of 2 and data of 3"):
        check_classes(model(), files(tmp_path, mask, ("a", "b", "c")))


def test_the_model_must_return_logits():
    with pytest.raises(ValueError, match="'softmax'"):
        check_classes(model("softmax"))


def test_files_must_fit_each_other(tmp_path: Path):
    check_files({"train": files(tmp_path, np.zeros((4, 6), "uint8")), "val": None})
    with pytest.raises(ValueError, match=r"(?s)a_mask.png.*check-data"):
        check_files({"train": files(tmp_path, np.zeros((4, 5), "uint8"))})
