import pytest

from keras_deeplab import DeepLab


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        # arXiv:1606.00915, table 1: 20.5 M.
        ("large_fov", 20_505_429),
        # By hand: VGG's convolutions, and four of fc6 3x3x512x1024, fc7 1024x1024, fc8 1024x21.
        ("aspp_l", 14_714_688 + 4 * (9 * 512 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 21 + 21)),
    ],
)
def test_parameters(variant: str, parameters: int):
    assert DeepLab(version="v2", variant=variant).count_params() == parameters


def test_rates_double_when_the_output_stride_halves(small_presets):
    def rates(output_stride: int) -> list[int]:
        model = DeepLab(version="v2", output_stride=output_stride, classes=2)
        return [model.get_layer(f"fc6_{k}").dilation_rate[0] for k in range(2)]

    assert rates(8) == [6, 12]
    assert rates(16) == [3, 6]
