import pytest

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.networks import DEEPLABS


@pytest.mark.parametrize("name", DEEPLABS)
def test_rows_are_consistent(name: str):
    row = DEEPLABS[name]
    variant = f"_{row.variant}" if row.variant else ""
    assert row.name == name
    assert name.removesuffix(variant) == f"deeplab_{row.version}_{row.backbone}"
    assert row.backbone in BACKBONES
    assert row.output_stride in row.output_strides
    assert set(row.output_strides) <= {8, 16, 32}
    assert (row.version == "v3_plus") == bool(row.low_level)
    assert row.source
    assert name in COSTS


def test_the_papers_atrous_rates():
    """arXiv:1606.00915, section 4.1.2; arXiv:1706.05587, section 4.2, at output stride 16."""
    assert DEEPLABS["deeplab_v2_vgg16_aspp_l"].atrous_rates == (6, 12, 18, 24)
    assert DEEPLABS["deeplab_v2_resnet101_caffe_aspp"].atrous_rates == (6, 12, 18, 24)
    row = DEEPLABS["deeplab_v3_resnet101_caffe"]
    assert (row.atrous_rates, row.rates_output_stride) == ((6, 12, 18), 16)
    assert row.multi_grid == (1, 2, 4)
