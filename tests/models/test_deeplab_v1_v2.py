import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        # arXiv:1606.00915, table 1: 20.5 M.
        (dict(version="v1"), 20_505_429),
        (dict(version="v2", variant="large_fov"), 20_505_429),
        # By hand: VGG's convolutions, and four of fc6 3x3x512x1024, fc7 1024x1024, fc8 1024x21.
        (
            dict(version="v2", variant="aspp_l"),
            14_714_688 + 4 * (9 * 512 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 21 + 21),
        ),
    ],
)
def test_parameters(arguments, parameters: int):
    assert DeepLab(**arguments).count_params() == parameters


def test_rates_double_when_the_output_stride_halves():
    def rates(output_stride: int) -> list[int]:
        model = DeepLab(version="v2", output_stride=output_stride, classes=2)
        return [model.get_layer(f"fc6_{k}").dilation_rate[0] for k in range(4)]

    assert rates(8) == [6, 12, 18, 24]
    assert rates(16) == [3, 6, 9, 12]


def test_v1s_average_counts_the_border_as_zeros(small_presets):
    model = DeepLab(version="v1", classes=2)
    before, after = model.get_layer("pool5").output, model.get_layer("pool5a").output
    tap = keras.Model(model.input, [before, after])
    x, pooled = (np.asarray(y) for y in tap(np.full((1, 33, 33, 3), 200.0, "float32")))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(padded[:, i : i + 5, j : j + 5] for i in range(3) for j in range(3)) / 9
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-5)
