import pytest

from keras_deeplab.weights.readers.torchvision import (
    torchvision_head_layer,
    torchvision_resnet_layer,
)


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        ("conv1", "stem"),
        ("bn1", "stem_bn"),
        ("layer1.2.bn3", "stage_1_block_2_conv_3_bn"),
        ("layer4.0.downsample.0", "stage_4_block_0_shortcut"),
        ("layer4.0.downsample.1", "stage_4_block_0_shortcut_bn"),
        ("layer5.0.conv1", ""),
        ("fc", ""),
    ],
)
def test_layers_of_the_backbone(module: str, layer: str):
    assert torchvision_resnet_layer(module) == layer


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        ("classifier.0.convs.0.0", "aspp_0"),
        ("classifier.0.convs.3.1", "aspp_3_bn"),
        ("classifier.0.convs.4.1", "aspp_image_pooling"),
        ("classifier.0.convs.4.2", "aspp_image_pooling_bn"),
        ("classifier.0.project.1", "aspp_projection_bn"),
        ("classifier.1", "aspp_refine"),
        ("classifier.2", "aspp_refine_bn"),
        ("classifier.4", "classifier"),
        ("aux_classifier.0", None),
        ("classifier.9", ""),
    ],
)
def test_layers_of_the_head(module: str, layer: str | None):
    assert torchvision_head_layer(module) == layer
