"""Scores of one network of each version, with weights from a formula, stay what they were."""

import zlib

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab

# Of revision 9af9526^, before the package was laid out anew: scores at three pixels.
GOLDEN = {
    ("v1", "vgg16"): [
        [-0.01852079, -0.5063186, 0.5572287],
        [-0.01933749, -1.607117, 1.467019],
        [-0.1875174, -0.9483558, 0.2246477],
    ],
    ("v2", "vgg16"): [
        [-1.55602, -1.975364, 1.901526],
        [-0.2773786, -2.285043, 2.24857],
        [1.601426, -1.524098, -0.4151463],
    ],
    ("v3", "mobilenet_v2_050"): [
        [4.202351, 3.941087, -1.108748],
        [4.822306, 4.778425, -6.620461],
        [5.309495, 2.787744, -7.592662],
    ],
    ("v3+", "mobilenet_v2"): [
        [-0.4769313, -3.525431, 2.669556],
        [7.498134, 5.351882, 5.568794],
        [3.744676, 4.221496, 6.49236],
    ],
}


def fill(model: keras.Model) -> None:
    for layer in model.layers:
        for variable in layer.weights:
            name, shape = variable.path.rpartition("/")[2], tuple(variable.shape)
            rng = np.random.default_rng(zlib.crc32(f"{layer.name}/{name}".encode()))
            if name in ("gamma", "moving_variance"):
                values = rng.uniform(0.5, 1.5, shape)
            elif len(shape) < 2:
                values = rng.normal(0, 0.1, shape)
            else:
                fan = shape[0] * shape[1] * (1 if "depthwise" in layer.name else shape[2])
                values = rng.normal(0, (2 / fan) ** 0.5, shape)
            variable.assign(values.astype("float32"))


@pytest.mark.parametrize(("version", "backbone"), GOLDEN)
def test_scores_are_those_of_before(version: str, backbone: str):
    model = DeepLab(version=version, backbone=backbone, classes=3)
    fill(model)
    image = np.random.default_rng(7).integers(0, 256, (1, 49, 65, 3)).astype("float32")
    scores = np.asarray(model(image))[0]
    expected = np.array(GOLDEN[version, backbone])
    # float32 on other processors, in another order of summation.
    np.testing.assert_allclose(
        scores[[0, 24, 48], [0, 32, 10]], expected, atol=1e-4 * np.abs(expected).max()
    )
