import numpy as np
import pytest

from keras_deeplab.presets.normalizations import NORMALIZATIONS


@pytest.mark.parametrize(
    ("name", "levels", "expected"),
    [
        ("tf", (0, 127.5, 255), (-1, 0, 1)),
        # torchvision: (x / 255 - mean) / deviation; black and white.
        ("torch", (0, 0, 0), (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225)),
        ("torch", (255, 255, 255), (0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225)),
        ("caffe", (122.675, 116.669, 104.008), (0, 0, 0)),
        ("caffe_keras", (123.68, 116.779, 103.939), (0, 0, 0)),
    ],
)
def test_values_by_hand(name: str, levels: tuple, expected: tuple):
    row = NORMALIZATIONS[name]
    normalised = np.array(levels) * row.scale + row.offset
    np.testing.assert_allclose(normalised, expected, atol=1e-9)
