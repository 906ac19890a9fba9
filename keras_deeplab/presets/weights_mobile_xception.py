"""Weights that were published as TF-Slim checkpoints, and mobile networks of PyTorch."""

from __future__ import annotations

from keras_deeplab.presets.weights_row import Metric, WeightsRow

_NETWORKS = {
    "mnv2": "deeplab_v3_mobilenet_v2",
    "mnv2_dm05": "deeplab_v3_mobilenet_v2_050",
    "xception_65": "deeplab_v3_plus_xception_65",
}
_ZOO = "tensorflow/models zoo"


def _zoo(
    backbone: str, data: str, trained_on: str, file: str, *metrics: tuple[float, str]
) -> WeightsRow:
    network = _NETWORKS[backbone]
    return WeightsRow(
        name=f"{network}.{data}_zoo",
        network=network,
        dataset=data.partition("_")[0],
        trained_on=trained_on,
        file=f"{file}.tar.gz",
        url=f"http://download.tensorflow.org/models/{file}.tar.gz",
        sha256=None,
        num_bytes=None,
        converter="tf_slim",
        preprocessing="tf",
        align_corners=True,
        batch_norm="trainable",
        output_stride=16,
        trained_on_val="trainval" in trained_on,
        metrics=tuple(Metric(mean_iou, protocol, _ZOO) for mean_iou, protocol in metrics),
        recommended=False,
        licence="Apache-2.0",
        source=_ZOO,
    )


_COCO = "(COCO pre-trained)"
_VAL, _SCALES = "val, single scale, output stride 16", "val, scales and flips, output stride 8"

ROWS = (
    _zoo(
        "mnv2",
        "voc_trainaug",
        f"VOC 2012 trainaug {_COCO}",
        "deeplabv3_mnv2_pascal_train_aug_2018_01_29",
        (0.7532, f"VOC 2012 {_VAL}"),
        (0.7733, f"VOC 2012 {_SCALES}"),
    ),
    _zoo(
        "mnv2_dm05",
        "voc_trainaug",
        f"VOC 2012 trainaug {_COCO}",
        "deeplabv3_mnv2_dm05_pascal_trainaug_2018_10_01",
        (0.7019, f"VOC 2012 {_VAL}"),
    ),
    _zoo(
        "xception_65",
        "voc_trainaug",
        f"VOC 2012 trainaug {_COCO}",
        "deeplabv3_pascal_train_aug_2018_01_04",
        (0.8220, f"VOC 2012 {_VAL}"),
        (0.8358, f"VOC 2012 {_SCALES}"),
    ),
    _zoo(
        "mnv2",
        "voc_trainval",
        f"VOC 2012 trainval {_COCO}",
        "deeplabv3_mnv2_pascal_trainval_2018_01_29",
        (0.8025, "VOC 2012 test"),
    ),
    _zoo(
        "mnv2_dm05",
        "voc_trainval",
        f"VOC 2012 trainval {_COCO}",
        "deeplabv3_mnv2_dm05_pascal_trainval_2018_10_01",
        (0.7183, "VOC 2012 test"),
    ),
    _zoo(
        "xception_65",
        "voc_trainval",
        f"VOC 2012 trainval {_COCO}",
        "deeplabv3_pascal_trainval_2018_01_04",
        (0.8780, "VOC 2012 test"),
    ),
    _zoo(
        "mnv2",
        "cityscapes_train",
        "Cityscapes train, fine",
        "deeplabv3_mnv2_cityscapes_train_2018_02_05",
        (0.7071, f"Cityscapes {_VAL}"),
        (0.7357, f"Cityscapes {_SCALES}"),
    ),
    _zoo(
        "xception_65",
        "cityscapes_train",
        "Cityscapes train, fine",
        "deeplabv3_cityscapes_train_2018_02_06",
        (0.7879, f"Cityscapes {_VAL}"),
        (0.8042, f"Cityscapes {_SCALES}"),
    ),
    WeightsRow(
        name="deeplab_v3_mobilenet_v2.voc_hugging_face",
        network="deeplab_v3_mobilenet_v2",
        dataset="voc",
        trained_on="VOC 2012; the split is not stated",
        file="deeplabv3_mobilenet_v2_1.0_513_model.safetensors",
        url="https://huggingface.co/google/deeplabv3_mobilenet_v2_1.0_513/resolve/main/"
        "model.safetensors",
        sha256=None,
        num_bytes=None,
        converter="hugging_face",
        preprocessing="tf",
        align_corners=True,
        batch_norm="trainable",
        output_stride=16,
        metrics=(),
        recommended=False,
        licence="NOASSERTION",
        source="Google, on Hugging Face",
    ),
    WeightsRow(
        name="deeplab_v3_mobilenet_v3_large.coco_voc",
        network="deeplab_v3_mobilenet_v3_large",
        dataset="voc",
        trained_on="the images of COCO 2017 train with VOC's classes",
        file="deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        url="https://download.pytorch.org/models/deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        sha256="fc3c493d",
        num_bytes=None,
        converter="torchvision_mobilenet",
        preprocessing="torch",
        align_corners=False,
        batch_norm="trainable",
        output_stride=16,
        metrics=(Metric(0.603, "COCO 2017 val, VOC's classes, single scale", "torchvision"),),
        recommended=False,
        licence="BSD-3-Clause",
        source="torchvision",
    ),
)
