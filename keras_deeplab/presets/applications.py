"""The networks of `keras.applications` as backbones, with the images that they take."""

from __future__ import annotations

import re
from typing import NamedTuple

from keras_deeplab.presets.backbones import BACKBONES


class Application(NamedTuple):
    """A family of networks in `keras.applications`.

    Attributes:
        functions: Their functions.
        names: Pattern of the names that they give their models.
        preprocessing: Mode of `keras.applications.imagenet_utils.preprocess_input`: "tf", "torch",
            "caffe", or "none" if the network itself takes RGB 0-255.
    """

    functions: tuple[str, ...]
    names: str
    preprocessing: str


APPLICATIONS: tuple[Application, ...] = (
    Application(
        ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
        r"convnext_(tiny|small|base|large|xlarge)",
        "none",
    ),
    Application(("DenseNet121", "DenseNet169", "DenseNet201"), r"densenet(121|169|201)", "torch"),
    Application(
        tuple(f"EfficientNetB{number}" for number in range(8)), r"efficientnetb[0-7]", "none"
    ),
    Application(
        tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        r"efficientnetv2-(b[0-3]|s|m|l)",
        "none",
    ),
    Application(("InceptionResNetV2",), r"inception_resnet_v2", "tf"),
    Application(("InceptionV3",), r"inception_v3", "tf"),
    Application(("MobileNet",), r"mobilenet_[\d.]+_\w+", "tf"),
    Application(("MobileNetV2",), r"mobilenetv2_[\d.]+_\w+", "tf"),
    Application(("MobileNetV3Small", "MobileNetV3Large"), r"mobilenetv3(small|large)", "none"),
    Application(("NASNetMobile", "NASNetLarge"), r"nasnet(_mobile|_large)?", "tf"),
    Application(("ResNet50", "ResNet101", "ResNet152"), r"resnet(50|101|152)", "caffe"),
    Application(("ResNet50V2", "ResNet101V2", "ResNet152V2"), r"resnet(50|101|152)v2", "tf"),
    Application(("VGG16", "VGG19"), r"vgg(16|19)", "caffe"),
    Application(("Xception",), r"xception", "tf"),
)
FUNCTIONS: dict[str, str] = {
    function: row.preprocessing for row in APPLICATIONS for function in row.functions
}
# NASNet joins its maps only if it is built for one size.
INPUT_SIZES: dict[str, tuple[int, int]] = {"NASNetMobile": (224, 224), "NASNetLarge": (331, 331)}
# What `DeepLab(backbone=...)` takes as a name.
BACKBONE_NAMES: tuple[str, ...] = (
    *sorted(BACKBONES),
    *(f"keras.applications.{name}" for name in FUNCTIONS),
)


def find_preprocessing(name: str) -> str | None:
    """Returns the preprocessing of a model of `keras.applications` by its name, or None.

    Example:

    >>> find_preprocessing("mobilenetv2_1.00_224")
    'tf'
    """
    for row in APPLICATIONS:
        if re.fullmatch(row.names, name, re.IGNORECASE):
            return row.preprocessing
    return None
