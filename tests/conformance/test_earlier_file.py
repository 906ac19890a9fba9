"""A file that an earlier version wrote still loads and gives the same scores.

Revision 21058e2 wrote it: `python -m tests.conformance.test_earlier_file`. It is a narrow DeepLab
v3+ with multi-scale inputs and a CRF, so that most of the package's layers occur in it.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch
from zipfile import ZIP_DEFLATED, ZipFile

import keras
import numpy as np

from keras_deeplab.layers.segmentation_output import find_output
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.models.keras_file import load_keras_file
from keras_deeplab.presets.backbone_row import MobileNetV3Block, MobileNetV3Row
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.network_row import DeepLabRow

FILE = Path(__file__).with_name("earlier_file.keras")
# At three pixels, and the mean over the image.
SCORES = [
    [-0.6330931, 9.615441, -0.5884541],
    [11.282677, -1.1394534, -3.4186895],
    [12.657916, -1.7044092, -3.406463],
    [8.888573, 2.1935890, -2.7840006],
]


def network() -> keras.Model:
    blocks = (
        MobileNetV3Block(3, 8, 8, True, "relu", 2),
        MobileNetV3Block(3, 16, 8, False, "hard_swish", 2),
        MobileNetV3Block(5, 16, 8, False, "hard_swish", 2),
    )
    backbone = MobileNetV3Row(name="tiny", blocks=blocks, stem_channels=8, source="")
    row = DeepLabRow(
        name="deeplab_v3_plus_tiny",
        version="v3_plus",
        backbone="tiny",
        output_stride=8,
        atrous_rates=(1, 2),
        rates_output_stride=8,
        low_level="block_0",
        low_level_channels=4,
        head_channels=8,
        decoder_channels=8,
        decoder_convolutions=1,
        source="",
    )
    with patch.dict(BACKBONES, tiny=backbone):
        model = build_model(
            row,
            class_names=("background", "cat", "dog"),
            options=BuildOptions(multi_scale_inputs=(0.5, 1.0), inference_size=(65, 65)),
            crf="pydensecrf",
        )
    rng = np.random.default_rng(13)
    for variable in model.weights:
        if "crf" not in variable.path:
            level = 1.0 if variable.name in ("gamma", "moving_variance") else 0.0
            variable.assign(level + rng.uniform(-0.5, 0.5, variable.shape))
    return model


def image() -> np.ndarray:
    y, x = np.mgrid[:49, :65]
    waves = [np.sin(x / 9 + y / 21), np.cos(x / 17 - y / 8), np.sin(x * y / 300)]
    return (127.5 + 127.5 * np.stack(waves, -1)[np.newaxis]).astype("float32")


def some_scores(model: keras.Model) -> np.ndarray:
    scores = np.asarray(model(image()))[0]
    return np.vstack([scores[[0, 24, 36], [0, 32, 10]], scores.mean((0, 1))])


def test_it_loads_and_gives_the_same_scores():
    model = load_keras_file(FILE)
    np.testing.assert_allclose(some_scores(model), SCORES, rtol=1e-5, atol=1e-5)
    assert find_output(model).class_names == ("background", "cat", "dog")


def test_todays_network_has_its_layers_and_names():
    """Checkpoints of both fit each other."""
    model, saved = network(), load_keras_file(FILE)
    for layer, other in zip(model._flatten_layers(), saved._flatten_layers(), strict=True):
        assert (type(layer), layer.name) == (type(other), other.name)
        assert layer.get_config().keys() == other.get_config().keys()
    for weight, other in zip(model.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


if __name__ == "__main__":
    network().save(FILE)
    # Keras does not compress its files.
    with ZipFile(FILE) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(FILE, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    print(some_scores(load_keras_file(FILE)).tolist())
