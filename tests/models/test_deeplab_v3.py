import pytest

from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.networks import DEEPLABS


@pytest.mark.parametrize(("output_stride", "rates"), [(16, [12, 24, 36]), (8, [24, 48, 72])])
def test_torchvisions_head(output_stride: int, rates: list[int]):
    model = build_model(
        DEEPLABS["deeplab_v3_mobilenet_v3_large"],
        class_names=["a", "b"],
        options=BuildOptions(output_stride=output_stride),
    )
    assert [model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2, 3)] == rates
    assert model.get_layer("aspp_dropout").rate == 0.5
    assert model.get_layer("aspp_refine").kernel.shape == (3, 3, 256, 256)
    assert model.get_layer("aspp_refine_bn").epsilon == 1e-5
