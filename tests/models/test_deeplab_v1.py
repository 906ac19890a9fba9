import keras
import numpy as np

from keras_deeplab import DeepLab


def test_parameters():
    """arXiv:1606.00915, table 1: 20.5 M."""
    assert DeepLab(version="v1").count_params() == 20_505_429


def test_the_average_counts_the_border_as_zeros(small_presets):
    model = DeepLab(version="v1", classes=2)
    before, after = model.get_layer("pool5").output, model.get_layer("pool5a").output
    tap = keras.Model(model.input, [before, after])
    x, pooled = (np.asarray(y) for y in tap(np.full((1, 33, 33, 3), 200.0, "float32")))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(padded[:, i : i + 5, j : j + 5] for i in range(3) for j in range(3)) / 9
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-5)
