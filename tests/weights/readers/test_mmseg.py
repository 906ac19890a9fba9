import pytest

from keras_deeplab.weights.readers.mmseg import _layer


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        ("backbone.stem.0", "stem_1"),
        ("backbone.stem.7", "stem_3_bn"),
        ("backbone.layer2.0.downsample.1", "stage_2_block_0_shortcut_bn"),
        ("decode_head.conv_seg", "classifier"),
        ("decode_head.image_pool.1.conv", "aspp_image_pooling"),
        ("decode_head.aspp_modules.2.bn", "aspp_2_bn"),
        ("decode_head.aspp_modules.1.depthwise_conv.conv", "aspp_1_depthwise"),
        ("decode_head.aspp_modules.1.pointwise_conv.bn", "aspp_1_pointwise_bn"),
        ("decode_head.bottleneck.conv", "aspp_projection"),
        ("decode_head.c1_bottleneck.bn", "decoder_low_level_bn"),
        ("decode_head.sep_bottleneck.0.depthwise_conv.conv", "decoder_0_depthwise"),
        ("auxiliary_head.convs.0.conv", None),
        ("decode_head.other.conv", ""),
        ("neck.conv", ""),
    ],
)
def test_layers_of_modules(module: str, layer: str | None):
    assert _layer(module) == layer
