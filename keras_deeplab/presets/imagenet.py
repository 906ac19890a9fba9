"""Backbones with public ImageNet weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ImageNetRow:
    """The source of ImageNet weights of a backbone.

    Attributes:
        backbone: A name in `BACKBONES`.
        application: Function of `keras.applications`, which downloads and verifies the file.
            Empty: the file is part of the Python package of an extra.
        include_top: Whether the fully connected layers are used.
        preprocessing: Normalisation of RGB 0-255 in training, in RGB order.
        padding: Zeros around strided convolutions in training: "symmetric", or "tensorflow", which
            pads the top and left less at even sizes.
        bgr: Whether the network takes its channels in BGR order.
        sha256: Hash of the file of a Python package.
    """

    backbone: str
    application: str = ""
    include_top: bool = False
    preprocessing: str = "tf"
    padding: str = "symmetric"
    bgr: bool = False
    sha256: str = ""


IMAGENET: dict[str, ImageNetRow] = {
    row.backbone: row
    for row in (
        *(
            ImageNetRow(backbone=backbone, application=application, padding="tensorflow")
            for backbone, application in (
                ("mobilenet_v2", "MobileNetV2"),
                ("mobilenet_v3_large", "MobileNetV3Large"),
                ("mobilenet_v3_small", "MobileNetV3Small"),
            )
        ),
        # Trained with (x - 127) / 128, which differs from "tf" by less than one level in 255.
        ImageNetRow(
            backbone="efficientnet_lite0",
            padding="tensorflow",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        *(
            ImageNetRow(
                backbone=backbone,
                application=application,
                include_top=application == "VGG16",
                preprocessing="caffe_keras",
                bgr=True,
            )
            for backbone, application in (
                ("vgg16", "VGG16"),
                ("resnet50_keras", "ResNet50"),
                ("resnet101_keras", "ResNet101"),
                ("resnet101_caffe", "ResNet101"),
            )
        ),
    )
}
