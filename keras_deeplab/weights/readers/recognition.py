"""Tells from the names of its tensors which library's network a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Recognised(NamedTuple):
    """What a file holds.

    Attributes:
        title: The network, for messages. Empty if unknown.
        converter: The reader of the file. Empty if there is none.
        network: A name in `DEEPLABS`. Empty if there is none.
    """

    title: str = ""
    converter: str = ""
    network: str = ""

    def __str__(self) -> str:
        if not self.title:
            return "whose network is not known"
        if not self.converter:
            return f"which is {self.title}: not one of this package's networks"
        return f"which is {self.title}: read it with the converter {self.converter!r}"


# First letters of Hugging Face's models, and of networks that are no segmentation networks.
_HUGGING_FACE = (
    r"(beit|clip|data2vec_vision|detr|dinov2|dpt|mask2former|maskformer|mobilenet_v1|mobilevit|"
    r"mobilevitv2|oneformer|segformer|swin|upernet|vit)\."
)


def recognise(tensors: Mapping[str, np.ndarray]) -> Recognised:
    """Recognises a checkpoint of PyTorch.

    Args:
        tensors: Tensors by name, without the prefixes of wrappers.

    Returns:
        What it is; empty fields where that is not known.

    Example:

    >>> recognise({"classifier.cbr.0.weight": np.zeros((1, 1, 1, 1))}).title
    "torchvision's LR-ASPP"
    """
    for rule in (_hugging_face, _mmseg, _smp, _jfzhang, _vainf, _kazuto, _torchvision, _others):
        if found := rule(tensors):
            return found
    return Recognised()


def _has(tensors: Mapping[str, np.ndarray], pattern: str) -> bool:
    return any(re.match(pattern, name) for name in tensors)


def _resnet(tensors: Mapping[str, np.ndarray], prefix: str) -> tuple[str, str]:
    """Returns the title of a ResNet and its backbone, "" if this package does not have it."""
    blocks = [
        1 + max((int(m[1]) for n in tensors if (m := re.match(pattern, n))), default=-1)
        for pattern in (rf"{re.escape(prefix)}layer{stage}\.(\d+)\." for stage in (1, 2, 3, 4))
    ]
    middle = tensors.get(f"{prefix}layer1.0.conv2.weight")
    bottlenecks = f"{prefix}layer1.0.conv3.weight" in tensors
    depths = {
        (True, (3, 4, 6, 3)): 50,
        (True, (3, 4, 23, 3)): 101,
        (True, (3, 8, 36, 3)): 152,
        (False, (2, 2, 2, 2)): 18,
        (False, (3, 4, 6, 3)): 34,
    }
    first, second, third, fourth = blocks
    depth = depths.get((bottlenecks, (first, second, third, fourth)))
    plain = middle is not None and middle.shape == (64, 64, 3, 3)
    if _has(tensors, rf"{re.escape(prefix)}layer1\.0\.se"):
        return "a ResNet with squeeze-excite", ""
    if depth is None or (bottlenecks and not plain):
        return f"a variant of ResNet with {blocks} blocks", ""
    return f"ResNet-{depth}", f"resnet{depth}" if depth in (50, 101) else ""


def _built(name: str, converter: str, network: str, resnet: tuple[str, str]) -> Recognised:
    title, backbone = resnet
    found = bool(backbone)
    return Recognised(
        f"{name} on {title}",
        converter if found else "",
        network.format(backbone) if found else "",
    )


def _mmseg(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if not _has(tensors, r"decode_head\."):
        return None
    plus = _has(tensors, r"decode_head\.sep_bottleneck\.")
    if not (_has(tensors, r"decode_head\.aspp_modules\.") and "backbone.layer1.0.conv1.weight"
            in tensors and _has(tensors, r"decode_head\.image_pool\.")):  # fmt: skip
        return Recognised("a network of mmsegmentation, but not DeepLab v3 or v3+ on a ResNet")
    name = f"mmsegmentation's DeepLab v3{'+' * plus}"
    version = "v3_plus" if plus else "v3"
    if not _has(tensors, r"backbone\.stem\.0\."):
        return Recognised(f"{name} on a ResNet that is not V1c")
    network = f"deeplab_{version}_{{}}_v1c"
    return _built(name, "mmseg", network, _resnet(tensors, "backbone."))


def _hugging_face(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if _has(tensors, r"mobilenet_v2\."):
        if not _has(tensors, r"segmentation_head\."):
            return Recognised("Hugging Face's MobileNetV2 without a segmentation head")
        title = "Hugging Face's DeepLab v3 on MobileNetV2"
        stem = tensors.get("mobilenet_v2.conv_stem.first_conv.convolution.weight")
        last = tensors.get("segmentation_head.conv_aspp.convolution.weight")
        if stem is None or last is None or (stem.shape[0], last.shape[1]) != (32, 320):
            return Recognised(f"{title} at another width than 1.0")
        return Recognised(title, "hugging_face", "deeplab_v3_mobilenet_v2")
    if found := next((m for name in tensors if (m := re.match(_HUGGING_FACE, name))), None):
        return Recognised(f"a {found[1]} network of Hugging Face")
    return None


def _smp(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if not (_has(tensors, r"encoder\.") and _has(tensors, r"segmentation_head\.0\.")):
        return None
    name = "segmentation_models_pytorch's "
    if "decoder.block1.0.weight" in tensors and _has(tensors, r"decoder\.aspp\.0\.convs\."):
        if "decoder.aspp.0.convs.1.0.0.weight" not in tensors:
            return Recognised(f"{name}DeepLabV3Plus without separable convolutions in ASPP")
        name, network = f"{name}DeepLabV3Plus", "deeplab_v3_plus_{}_smp"
    elif _has(tensors, r"decoder\.(aspp|0)\.convs\."):
        if _has(tensors, r"decoder\.(aspp|0)\.convs\.1\.0\.0\."):
            return Recognised(f"{name}DeepLabV3 with separable convolutions in ASPP")
        name, network = f"{name}DeepLabV3", "deeplab_v3_{}_smp"
    else:
        return Recognised(f"a network of {name[:-3]}, but not DeepLabV3 or DeepLabV3Plus")
    if "encoder.layer1.0.conv1.weight" not in tensors or "encoder.conv1.weight" not in tensors:
        return Recognised(f"{name} with another encoder than resnet50 or resnet101")
    return _built(name, "smp", network, _resnet(tensors, "encoder."))


def _jfzhang(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if not _has(tensors, r"aspp\.aspp1\.atrous_conv\."):
        return None
    name = "DeepLab v3+ of jfzhang95/pytorch-deeplab-xception"
    if _has(tensors, r"backbone\.(low_level_features|high_level_features|features)\."):
        return Recognised(f"{name} on MobileNetV2, which pads before its 1x1 convolutions")
    if _has(tensors, r"backbone\.block1\."):
        return Recognised(f"{name} on Xception")
    if _has(tensors, r"backbone\.layer0\."):
        return Recognised(f"{name} on DRN")
    title, backbone = _resnet(tensors, "backbone.")
    return _built(name, "jfzhang", "deeplab_v3_plus_{}_jfzhang",
                  (title, backbone if backbone == "resnet101" else ""))  # fmt: skip


def _vainf(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    plus = _has(tensors, r"classifier\.aspp\.convs\.")
    if not (plus or _has(tensors, r"classifier\.classifier\.0\.convs\.")):
        return None
    name = f"DeepLab v3{'+' * plus} of VainF/DeepLabV3Plus-Pytorch"
    if _has(tensors, r"classifier\..*\.body\.\d\."):
        return Recognised(f"{name} with separable convolutions")
    if _has(tensors, r"backbone\.(low|high)_level_features\."):
        return Recognised(f"{name} on MobileNetV2, which pads before its 1x1 convolutions")
    if not _has(tensors, r"backbone\.layer4\."):
        return Recognised(f"{name} on another backbone than a ResNet")
    network = "deeplab_v3_plus_{}_vainf" if plus else "deeplab_v3_{}"
    return _built(name, "vainf", network, _resnet(tensors, "backbone."))


def _kazuto(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    names = {re.sub(r"^(base|scale)\.", "", name) for name in tensors}
    if "layer1.conv1.conv.weight" not in names:
        return None
    of = "of kazuto1011/deeplab-pytorch"
    if any(name.startswith("reduce.") for name in names):
        return Recognised(f"DeepLab v3+ {of}, which fuses its scales at the size of the image")
    if "fc2.weight" in names:
        return Recognised(f"DeepLab v3 {of}", "kazuto", "deeplab_v3_resnet101_caffe")
    if "fc.weight" in names:
        return Recognised(f"DeepLabV1 {of}: a ResNet-101 with a 1x1 classifier, without LargeFOV")
    return Recognised(f"DeepLab v2 {of}", "kazuto", "deeplab_v2_resnet101_caffe_aspp")


def _torchvision(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if not _has(tensors, r"backbone\."):
        return None
    if _has(tensors, r"classifier\.cbr\."):
        return Recognised("torchvision's LR-ASPP")
    if _has(tensors, r"classifier\.0\.convs\."):
        if "backbone.0.0.weight" in tensors:
            return Recognised(
                "torchvision's DeepLab v3 on MobileNetV3-Large",
                "torchvision_mobilenet",
                "deeplab_v3_mobilenet_v3_large",
            )
        resnet = _resnet(tensors, "backbone.")
        return _built("torchvision's DeepLab v3", "torchvision", "deeplab_v3_{}", resnet)
    if {"classifier.0.weight", "classifier.4.weight"} <= tensors.keys():
        return Recognised("torchvision's FCN")
    if _has(tensors, r"backbone\.body\.|roi_heads\."):
        return Recognised("a detection network of torchvision")
    return None


def _others(tensors: Mapping[str, np.ndarray]) -> Recognised | None:
    if _has(tensors, r"mask_decoder\."):
        return Recognised("Segment Anything")
    if {"layer4.0.conv1.weight", "conv1.weight"} <= tensors.keys():
        return Recognised("an ImageNet ResNet of torchvision or timm, without a segmentation head")
    if _has(tensors, r"(conv_stem|stem|stages|blocks|patch_embed)[._]|features\.0\.0\.|cls_token"):
        return Recognised("an ImageNet network of timm or torchvision, without a segmentation head")
    if _has(tensors, r"(inc|down1|up1|outc)\."):
        return Recognised("a U-Net")
    if _has(tensors, r"(model\.)?\d+\.conv\.weight"):
        return Recognised("a network of Ultralytics")
    return None
