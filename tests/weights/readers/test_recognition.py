"""Files are told apart by the names that the libraries' own networks give to their tensors."""

from __future__ import annotations

import numpy as np
import pytest

from keras_deeplab.weights.readers.recognition import recognise
from tests.reference.torch_peers import import_torch, tensors


def torchvision(name: str, **options) -> dict[str, np.ndarray]:
    import_torch()
    models = pytest.importorskip("torchvision.models")
    home = models.segmentation if hasattr(models.segmentation, name) else models
    home = home if hasattr(home, name) else models.detection
    options |= {} if home is models else {"weights_backbone": None}
    return tensors(lambda: getattr(home, name)(weights=None, **options))


def smp(name: str, encoder: str = "resnet50", **options) -> dict[str, np.ndarray]:
    import_torch()
    smp = pytest.importorskip("segmentation_models_pytorch")
    return tensors(lambda: getattr(smp, name)(encoder, encoder_weights=None, **options))


def timm(name: str) -> dict[str, np.ndarray]:
    import_torch()
    timm = pytest.importorskip("timm")
    return tensors(lambda: timm.create_model(name, pretrained=False))


def hugging_face(name: str, **options) -> dict[str, np.ndarray]:
    import_torch()
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name.split('For')[0].removesuffix('Model')}Config")
    return tensors(lambda: getattr(transformers, name)(config(**options)))


@pytest.mark.parametrize(
    ("build", "converter", "network"),
    [
        (
            lambda: torchvision("deeplabv3_resnet50", aux_loss=True),
            "torchvision",
            "deeplab_v3_resnet50",
        ),
        (lambda: torchvision("deeplabv3_resnet101"), "torchvision", "deeplab_v3_resnet101"),
        (
            lambda: torchvision("deeplabv3_mobilenet_v3_large", aux_loss=True),
            "torchvision_mobilenet",
            "deeplab_v3_mobilenet_v3_large",
        ),
        (lambda: smp("DeepLabV3"), "smp", "deeplab_v3_resnet50_smp"),
        (lambda: smp("DeepLabV3Plus", "resnet101"), "smp", "deeplab_v3_plus_resnet101_smp"),
        (
            lambda: hugging_face("MobileNetV2ForSemanticSegmentation"),
            "hugging_face",
            "deeplab_v3_mobilenet_v2",
        ),
    ],
)
def test_networks_that_are_read(build, converter: str, network: str):
    found = recognise(build())
    assert (found.converter, found.network) == (converter, network)
    assert str(found) == f"which is {found.title}: read it with the converter {converter!r}"


@pytest.mark.parametrize(
    ("build", "title"),
    [
        (lambda: torchvision("lraspp_mobilenet_v3_large"), "torchvision's LR-ASPP"),
        (lambda: torchvision("fcn_resnet50"), "torchvision's FCN"),
        (lambda: torchvision("fcn_resnet50", aux_loss=True), "torchvision's FCN"),
        (lambda: torchvision("fasterrcnn_resnet50_fpn"), "a detection network of torchvision"),
        (lambda: torchvision("resnet50"), "an ImageNet ResNet of torchvision or timm"),
        (lambda: torchvision("mobilenet_v2"), "an ImageNet network of timm or torchvision"),
        (lambda: timm("resnet50"), "an ImageNet ResNet of torchvision or timm"),
        (lambda: timm("mobilenetv3_large_100"), "an ImageNet network of timm or torchvision"),
        (lambda: timm("vit_tiny_patch16_224"), "an ImageNet network of timm or torchvision"),
        (lambda: timm("convnext_tiny"), "an ImageNet network of timm or torchvision"),
        (lambda: smp("Unet"), "a network of segmentation_models_pytorch, but not DeepLabV3"),
        (lambda: smp("FPN"), "a network of segmentation_models_pytorch, but not DeepLabV3"),
        (lambda: smp("DeepLabV3Plus", "mobilenet_v2"), "with another encoder than resnet50 or"),
        (lambda: smp("DeepLabV3Plus", "resnet18"), "DeepLabV3Plus on ResNet-18"),
        (lambda: smp("DeepLabV3Plus", "se_resnet50"), "DeepLabV3Plus"),
        (
            lambda: smp("DeepLabV3", decoder_aspp_separable=True),
            "with separable convolutions in ASPP",
        ),
        (
            lambda: hugging_face("SegformerForSemanticSegmentation"),
            "a segformer network of Hugging Face",
        ),
        (
            lambda: hugging_face("MobileNetV2ForImageClassification"),
            "MobileNetV2 without a segmentation head",
        ),
        (
            lambda: hugging_face("MobileNetV2ForSemanticSegmentation", depth_multiplier=0.5),
            "at another width than 1.0",
        ),
        (lambda: hugging_face("SamModel"), "Segment Anything"),
    ],
)
def test_networks_that_are_named(build, title: str):
    found = recognise(build())
    assert title in found.title
    assert found.converter == found.network == ""
    assert str(found).endswith("not one of this package's networks")


@pytest.mark.parametrize(
    ("names", "title"),
    [
        # Meta's own file of Segment Anything, Ultralytics' networks, a U-Net by hand.
        (["image_encoder.patch_embed.proj.weight", "mask_decoder.iou_token.weight"], "Segment Any"),
        (["model.0.conv.weight", "model.0.bn.weight"], "a network of Ultralytics"),
        (["0.conv.weight", "0.bn.weight", "1.conv.weight"], "a network of Ultralytics"),
        (["inc.double_conv.0.weight", "down1.maxpool_conv.1.double_conv.0.weight"], "a U-Net"),
        (["decode_head.conv_seg.weight", "backbone.layer1.0.conv1.weight"], "mmsegmentation, but"),
        (
            ["aspp.aspp1.atrous_conv.weight", "backbone.block1.conv1.weight"],
            "jfzhang95/pytorch-deeplab-xception on Xception",
        ),
        (
            ["aspp.aspp1.atrous_conv.weight", "backbone.layer0.0.weight"],
            "jfzhang95/pytorch-deeplab-xception on DRN",
        ),
        (
            ["aspp.aspp1.atrous_conv.weight", "backbone.features.0.0.weight"],
            "on MobileNetV2, which pads before its 1x1 convolutions",
        ),
        (
            ["classifier.aspp.convs.0.0.weight", "backbone.low_level_features.0.0.weight"],
            "on MobileNetV2, which pads before its 1x1 convolutions",
        ),
        (["classifier.aspp.convs.1.0.body.0.weight"], "with separable convolutions"),
        (["layer1.conv1.conv.weight", "fc.weight"], "DeepLabV1 of kazuto1011"),
        (["base.layer1.conv1.conv.weight", "base.reduce.conv.weight"], "DeepLab v3+ of kazuto1011"),
    ],
)
def test_names_of_repositories(names: list[str], title: str):
    found = recognise({name: np.zeros((1, 1, 1, 1)) for name in names})
    assert title in found.title
    assert not found.converter


def test_networks_of_repositories_that_are_read():
    import_torch()
    from tests.reference import torch_networks as nets
    from tests.reference import torch_repositories as repositories

    blocks, classes = (3, 4, 23, 3), 5
    for build, network in [
        (lambda: nets.KazutoDeepLabV2(blocks, classes), "deeplab_v2_resnet101_caffe_aspp"),
        (
            lambda: nets.KazutoMSC(nets.KazutoDeepLabV2(blocks, classes)),
            "deeplab_v2_resnet101_caffe_aspp",
        ),
        (lambda: repositories.KazutoDeepLabV3(blocks, classes), "deeplab_v3_resnet101_caffe"),
        (
            lambda: nets.MMSegDeepLab(blocks, plus=False, classes=classes),
            "deeplab_v3_resnet101_v1c",
        ),
        (
            lambda: nets.MMSegDeepLab((3, 4, 6, 3), plus=True, classes=classes),
            "deeplab_v3_plus_resnet50_v1c",
        ),
    ]:
        assert recognise(tensors(build)).network == network


def test_nothing_known():
    assert str(recognise({})) == "whose network is not known"
    assert str(recognise({"weight": np.zeros(3)})) == "whose network is not known"
