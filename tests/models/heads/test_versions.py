from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.matrices import matrix

PLUS = [name for name, row in DEEPLABS.items() if row.version == "v3_plus"]


def test_parameters_of_v1():
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


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        # arXiv:1606.00915, table 1: 20.5 M.
        ("large_fov", 20_505_429),
        # By hand: VGG's convolutions, and four of fc6 3x3x512x1024, fc7 1024x1024, fc8 1024x21.
        ("aspp_l", 14_714_688 + 4 * (9 * 512 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 21 + 21)),
    ],
)
def test_parameters_of_v2(variant: str, parameters: int):
    assert DeepLab(version="v2", variant=variant).count_params() == parameters


def test_rates_double_when_the_output_stride_halves(small_presets):
    def rates(output_stride: int) -> list[int]:
        model = DeepLab(version="v2", output_stride=output_stride, classes=2)
        return [model.get_layer(f"fc6_{k}").dilation_rate[0] for k in range(2)]

    assert rates(8) == [6, 12]
    assert rates(16) == [3, 6]


@pytest.mark.parametrize(("output_stride", "rates"), [(16, [12, 24, 36]), (8, [24, 48, 72])])
def test_torchvisions_head_of_v3(output_stride: int, rates: list[int]):
    model = build_model(
        DEEPLABS["deeplab_v3_mobilenet_v3_large"],
        class_names=["a", "b"],
        options=BuildOptions(output_stride=output_stride),
    )
    assert [model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2, 3)] == rates
    assert model.get_layer("aspp_dropout").rate == 0.5
    assert model.get_layer("aspp_refine").kernel.shape == (3, 3, 256, 256)
    assert model.get_layer("aspp_refine_bn").epsilon == 1e-5


def build(name: str, **options) -> keras.Model:
    return build_model(
        DEEPLABS[name],
        class_names=["a", "b", "c"],
        options=BuildOptions(**options),
        input_shape=(97, 97, 3),
    )


@pytest.mark.parametrize("name", ["deeplab_v3_plus_mobilenet_v2"])
@pytest.mark.parametrize(("output_stride", "rates"), [(16, [6, 12, 18]), (8, [12, 24, 36])])
def test_rates_follow_the_output_stride(name: str, output_stride: int, rates: list[int]):
    model = build(name, output_stride=output_stride)
    found = [model.get_layer(f"aspp_{i}_depthwise").dilation_rate[0] for i in (1, 2, 3)]
    assert found == rates


@pytest.mark.parametrize("name", matrix(PLUS, "deeplab_v3_plus_mobilenet_v2"))
def test_decoder_works_at_stride_4_with_48_low_level_channels(name: str):
    model, channels = build(name), DEEPLABS[name].head_channels
    assert model.get_layer("decoder_concat").output.shape == (None, 25, 25, channels + 48)
    assert model.get_layer("classifier").output.shape == (None, 25, 25, 3)


def test_convolutions_are_full_where_the_row_says_so():
    row = replace(DEEPLABS["deeplab_v3_plus_mobilenet_v2"], separable=False)
    model = build_model(row, class_names=["a", "b"])
    assert model.get_layer("decoder_0").kernel.shape == (3, 3, 304, 256)
    assert model.get_layer("decoder_1").kernel.shape == (3, 3, 256, 256)
