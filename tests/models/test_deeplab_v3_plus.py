from dataclasses import replace

import keras
import pytest

from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.networks import DEEPLABS
from tests.reference.matrices import matrix

PLUS = [name for name, row in DEEPLABS.items() if row.version == "v3_plus"]


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
