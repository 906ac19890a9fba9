"""Public pretrained weights: location, content and accuracy; those of PyTorch and Caffe apart."""

from __future__ import annotations

from typing import Any

from keras_deeplab.presets import weights_torch_caffe
from keras_deeplab.presets.weights_row import Metric, WeightsRow, weights_row

_CORAL = "https://github.com/google-coral/test_data/raw/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
_COCO_128 = ("128 photos of COCO, 19 classes in their masks, 513", "tools/compare_with_tflite.py")
_BUNDLED = "tools/train_bundled/measure.py"

_NETWORKS = {
    "mnv2": "deeplab_v3_mobilenet_v2",
    "mnv2_dm05": "deeplab_v3_mobilenet_v2_050",
    "xception_65": "deeplab_v3_plus_xception_65",
}
_ZOO = "tensorflow/models zoo"
_PROTOCOLS = ("val, single scale, output stride 16", "val, scales and flips, output stride 8")
# Backbone, data, file, mean IoU by protocol.
_ROWS = """
mnv2 voc_trainaug deeplabv3_mnv2_pascal_train_aug_2018_01_29 0.7532 0.7733
mnv2_dm05 voc_trainaug deeplabv3_mnv2_dm05_pascal_trainaug_2018_10_01 0.7019
xception_65 voc_trainaug deeplabv3_pascal_train_aug_2018_01_04 0.8220 0.8358
mnv2 voc_trainval deeplabv3_mnv2_pascal_trainval_2018_01_29 0.8025
mnv2_dm05 voc_trainval deeplabv3_mnv2_dm05_pascal_trainval_2018_10_01 0.7183
xception_65 voc_trainval deeplabv3_pascal_trainval_2018_01_04 0.8780
mnv2 cityscapes_train deeplabv3_mnv2_cityscapes_train_2018_02_05 0.7071 0.7357
xception_65 cityscapes_train deeplabv3_cityscapes_train_2018_02_06 0.7879 0.8042
"""


def _zoo(backbone: str, data: str, file: str, *scores: str) -> WeightsRow:
    dataset, _, split = data.partition("_")
    protocols = _PROTOCOLS if split != "trainval" else ("test",)
    title = {"voc": "VOC 2012", "cityscapes": "Cityscapes"}[dataset]
    network = _NETWORKS[backbone]
    return weights_row(
        "tf_slim",
        name=f"{network}.{data}_zoo",
        network=network,
        dataset=dataset,
        trained_on=f"{title} {split}{' (COCO pre-trained)' if dataset == 'voc' else ', fine'}",
        file=f"{file}.tar.gz",
        url=f"https://download.tensorflow.org/models/{file}.tar.gz",
        # TensorFlow's Xception pads explicitly, its MobileNets with "SAME".
        padding="symmetric" if "xception" in network else "tensorflow",
        output_stride=16,
        trained_on_val=split == "trainval",
        metrics=tuple(
            Metric(float(score), f"{title} {protocol}", _ZOO)
            for score, protocol in zip(scores, protocols, strict=False)
        ),
        licence="Apache-2.0",
        source=_ZOO,
    )


def _coral(network: str, file: str, sha256: str, num_bytes: int, **metrics: Any) -> WeightsRow:
    return weights_row(
        "tflite",
        name=f"{network}.voc_trainaug",
        network=network,
        dataset="voc",
        trained_on="VOC 2012 trainaug (COCO pre-trained), 8-bit quantisation-aware",
        file=file,
        url=_CORAL + file,
        sha256=sha256,
        num_bytes=num_bytes,
        output_stride=16,
        **metrics,
        licence="Apache-2.0",
        source="google-coral/test_data",
    )


WEIGHTS: dict[str, WeightsRow] = {
    row.name: row
    for row in (
        weights_row(
            "arrays",
            name="deeplab_v3_mobilenet_v2.voc",
            network="deeplab_v3_mobilenet_v2",
            dataset="voc",
            trained_on="starts from deeplab_v3_mobilenet_v2.voc_trainaug; VOC 2012 masks (part of "
            "trainaug), its soft labels for 43,810 photos, image-level labels of COCO photos",
            file="deeplab_v3_mobilenet_v2.voc.npz",
            url=None,
            sha256="790a13534e2f2ec8a175dc0a48ff796f7f2e8c65673d38bf089cd65092f09ff8",
            num_bytes=3_893_133,
            measured=(
                Metric(0.5986, "128 photos of COCO, 19 classes in their masks, 513", _BUNDLED),
                Metric(0.6347, "296 photos of VOC 2012 val, 513", _BUNDLED),
                Metric(0.7412, "296 photos of VOC 2012 val, 12 frequent classes, 513", _BUNDLED),
            ),
            recommended=True,
            licence="Apache-2.0",
            source="keras_deeplab; tools/train_bundled",
        ),
        _coral(
            "deeplab_v3_mobilenet_v2",
            "deeplabv3_mnv2_pascal_quant.tflite",
            "350af47fd346ea6d74b58833a351f583ba860e9806ec5bd292ff8d8f1f249398",
            2_193_224,
            measured=(
                Metric(0.6011, *_COCO_128),
                Metric(0.6777, "148 photos of VOC 2012 val, 513", "tools/compare_crfs.py"),
                Metric(0.6326, "296 photos of VOC 2012 val, 513", _BUNDLED),
                Metric(0.7369, "296 photos of VOC 2012 val, 12 frequent classes, 513", _BUNDLED),
            ),
            metrics=(Metric(0.7426, "VOC 2012 val, single scale, 8-bit", "tensorflow/models zoo"),),
        ),
        _coral(
            "deeplab_v3_mobilenet_v2_050",
            "deeplabv3_mnv2_dm05_pascal_quant.tflite",
            "0470d2a782aa54eeeb99d32e7b6b3fb7722905c7c4f5d26bd957ec861366d48b",
            760_904,
            measured=(Metric(0.4536, *_COCO_128),),
            metrics=(Metric(0.6965, "VOC 2012 val, single scale, 8-bit", "tensorflow/models zoo"),),
        ),
        *(_zoo(*columns.split()) for columns in _ROWS.strip().splitlines()),
        weights_row(
            "hugging_face",
            name="deeplab_v3_mobilenet_v2.voc_hugging_face",
            network="deeplab_v3_mobilenet_v2",
            dataset="voc",
            trained_on="VOC 2012; the split is not stated",
            file="deeplabv3_mobilenet_v2_1.0_513_pytorch_model.bin",
            url="https://huggingface.co/google/deeplabv3_mobilenet_v2_1.0_513/resolve/main/"
            "pytorch_model.bin",
            output_stride=8,
            licence="NOASSERTION",
            source="Google, on Hugging Face",
        ),
        weights_row(
            "torchvision_mobilenet",
            name="deeplab_v3_mobilenet_v3_large.coco_voc",
            network="deeplab_v3_mobilenet_v3_large",
            dataset="voc",
            trained_on="the images of COCO 2017 train with VOC's classes",
            file="deeplabv3_mobilenet_v3_large-fc3c493d.pth",
            url="https://download.pytorch.org/models/deeplabv3_mobilenet_v3_large-fc3c493d.pth",
            sha256="fc3c493d",
            output_stride=16,
            metrics=(Metric(0.603, "COCO 2017 val, VOC's classes, single scale", "torchvision"),),
            licence="BSD-3-Clause",
            source="torchvision",
        ),
        *weights_torch_caffe.ROWS,
    )
}

__all__ = ["WEIGHTS", "Metric", "WeightsRow"]
