"""Public pretrained weights: location, content and accuracy."""

from __future__ import annotations

from typing import Any

from keras_deeplab.presets import weights_mobile_xception, weights_torch_caffe
from keras_deeplab.presets.weights_row import Metric, WeightsRow, weights_row

_CORAL = "https://github.com/google-coral/test_data/raw/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
_COCO_128 = ("128 photos of COCO, 19 classes in their masks, 513", "tools/compare_with_tflite.py")
_BUNDLED = "tools/train_bundled/measure.py"


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
            "trainaug), its soft labels for 13,663 photos, image-level labels of COCO photos",
            file="deeplab_v3_mobilenet_v2.voc.npz",
            url=None,
            sha256="e85d646674be9ad529d8bce7f368912c171713fb52d7a1ab91945063ab240c74",
            num_bytes=3_465_064,
            measured=(
                Metric(0.5862, "128 photos of COCO, 19 classes in their masks, 513", _BUNDLED),
                Metric(0.6416, "296 photos of VOC 2012 val, 513", _BUNDLED),
                Metric(0.7457, "296 photos of VOC 2012 val, 12 frequent classes, 513", _BUNDLED),
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
        *weights_mobile_xception.ROWS,
        *weights_torch_caffe.ROWS,
    )
}

__all__ = ["WEIGHTS", "Metric", "WeightsRow"]
