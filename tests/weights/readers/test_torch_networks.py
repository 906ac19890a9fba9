from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.naming import layer_of
from keras_deeplab.weights.readers.torch_networks import (
    TORCH_NETWORKS,
    convert_torch,
    torch_arrays,
)
from tests.reference.torch_file_writer import state_dict, zip_file


@pytest.mark.parametrize(
    ("library", "module", "layer"),
    [
        ("torchvision", "backbone.conv1", "stem"),
        ("torchvision", "backbone.layer1.2.bn3", "stage_1_block_2_conv_3"),
        ("torchvision", "backbone.layer4.0.downsample.0", "stage_4_block_0_shortcut"),
        ("torchvision", "backbone.layer5.0.conv1", ""),
        ("torchvision", "backbone.fc", ""),
        ("torchvision", "classifier.0.convs.0.0", "aspp_0"),
        ("torchvision", "classifier.0.convs.4.1", "aspp_image_pooling"),
        ("torchvision", "classifier.0.convs.4.2", "aspp_image_pooling"),
        ("torchvision", "classifier.0.project.1", "aspp_projection"),
        ("torchvision", "classifier.1", "aspp_refine"),
        ("torchvision", "classifier.4", "classifier"),
        ("torchvision", "aux_classifier.0", None),
        ("torchvision", "classifier.9", ""),
        ("mmseg", "backbone.stem.0", "stem_1"),
        ("mmseg", "backbone.stem.7", "stem_3"),
        ("mmseg", "backbone.layer2.0.downsample.1", "stage_2_block_0_shortcut"),
        ("mmseg", "decode_head.conv_seg", "classifier"),
        ("mmseg", "decode_head.image_pool.1.conv", "aspp_image_pooling"),
        ("mmseg", "decode_head.aspp_modules.2.bn", "aspp_2"),
        ("mmseg", "decode_head.aspp_modules.1.depthwise_conv.conv", "aspp_1_depthwise"),
        ("mmseg", "decode_head.aspp_modules.1.pointwise_conv.bn", "aspp_1_pointwise"),
        ("mmseg", "decode_head.bottleneck.conv", "aspp_projection"),
        ("mmseg", "decode_head.c1_bottleneck.bn", "decoder_low_level"),
        ("mmseg", "decode_head.sep_bottleneck.0.depthwise_conv.conv", "decoder_0_depthwise"),
        ("mmseg", "auxiliary_head.convs.0.conv", None),
        ("mmseg", "decode_head.other.conv", ""),
        ("mmseg", "neck.conv", ""),
        ("hugging_face", "mobilenet_v2.conv_stem.conv_3x3.convolution", "block_0_depthwise"),
        ("hugging_face", "mobilenet_v2.layer.0.expand_1x1.normalization", "block_1_expand"),
        ("hugging_face", "mobilenet_v2.conv_1x1.normalization", None),
        ("hugging_face", "pooler.dense", ""),
        ("efficientnet_lite", "_bn0", "stem"),
        ("efficientnet_lite", "_blocks.0._bn1", "block_0_depthwise"),
        ("efficientnet_lite", "_bn1", None),
        ("efficientnet_lite", "_blocks.0._se_reduce", ""),
    ],
)
def test_layers_of_modules(library: str, module: str, layer: str | None):
    assert layer_of(module, TORCH_NETWORKS[library].rules) == layer


def test_the_pooled_branch_comes_first():
    """Its channels, the last fifth of the projection's input elsewhere, are the first here."""
    kernel = np.arange(10.0).reshape(1, 10, 1, 1).repeat(2, 0)
    for library, name, order in [
        ("torchvision", "classifier.0.project.0", [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]),
        ("mmseg", "decode_head.bottleneck.conv", list(range(10))),
    ]:
        arrays = torch_arrays(library, {f"{name}.weight": kernel}, "net.pth")
        assert arrays["aspp_projection/kernel"][0, 0, :, 0].tolist() == order


@pytest.mark.parametrize("library", ["torchvision", "kazuto", "mmseg"])
def test_another_network_is_refused(library: str, tmp_path: Path):
    arrays = {"features.0.weight": np.ones((2, 3, 3, 3), "float32")}
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    with pytest.raises(ValueError, match=r"'features.0.weight' in .*net.pth"):
        convert_torch(library, tmp_path / "net.pth")
    (tmp_path / "net.pth").write_bytes(b"no file of weights")
    with pytest.raises(ValueError, match=r"net.pth"):
        convert_torch(library, tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("prefix", "infix", "shortcut"), [("scale.", "stages.", "proj"), ("base.", "", "shortcut")]
)
def test_both_namings_of_kazuto1011(prefix: str, infix: str, shortcut: str, tmp_path: Path):
    kernel = np.arange(3, dtype="float32").reshape(1, 3, 1, 1)
    arrays = {
        f"{prefix}layer1.conv1.conv.weight": kernel,
        f"{prefix}layer4.block23.{shortcut}.bn.running_var": np.ones(2, "float32"),
        f"{prefix}aspp.{infix}c3.bias": np.ones(2, "float32"),
    }
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    read = convert_torch("kazuto", tmp_path / "net.pth")
    assert list(read) == [
        "stem/kernel",
        "stage_3_block_22_shortcut_bn/moving_variance",
        "classifier_3/bias",
    ]
    # BGR became RGB.
    assert read["stem/kernel"].ravel().tolist() == [2.0, 1.0, 0.0]
