"""Trained weights that are public: where they are, what they hold, how good they were measured."""

from __future__ import annotations

from dataclasses import dataclass

_CORAL = "https://github.com/google-coral/test_data/raw/104342d2d3480b3e66203073dac24f4e2dbb4c41/"


@dataclass(frozen=True)
class Metric:
    """A published or measured number.

    Attributes:
        mean_iou: Mean intersection over union, 0 to 1.
        protocol: Split and manner of evaluation.
        source: Who measured it.
    """

    mean_iou: float
    protocol: str
    source: str


@dataclass(frozen=True, kw_only=True)
class WeightsRow:
    """One weights file.

    Attributes:
        name: `{network}.{data}`, the full row name for `DeepLab(weights=...)`.
        network: A row name of `DEEPLABS`.
        dataset: A row name of `DATASETS`; its classes are the classifier's.
        trained_on: Split it was trained on.
        file: File name in the cache and in a mirror.
        url: Where it is published. None: the file ships inside the package.
        sha256: Hash of the file, in hexadecimal; its first digits where the publisher's file name
            carries no more; None where none was published. Then the hash of the first file that
            arrives is recorded beside it and holds from then on.
        num_bytes: Size of the file; None where it is not known.
        converter: The reader in `keras_deeplab.weights.convert`.
        preprocessing: Normalisation of RGB 0-255 that it was trained with.
        align_corners: Grid of its bilinear resizes.
        batch_norm: "folded" where the file holds batch norm folded into the convolutions.
        output_stride: Output stride it was trained at.
        multi_scale_inputs: Scales of the image that it was trained on with shared weights.
        leaky: Whether it was trained on the images that its dataset's validation measures.
        metrics: Published numbers.
        recommended: Whether the dataset's name alone takes this row.
        licence: SPDX identifier.
        source: Who published it.
    """

    name: str
    network: str
    dataset: str
    trained_on: str
    file: str
    url: str | None
    sha256: str | None
    num_bytes: int | None
    converter: str
    preprocessing: str
    align_corners: bool
    batch_norm: str
    output_stride: int
    multi_scale_inputs: tuple[float, ...] = ()
    leaky: bool = False
    metrics: tuple[Metric, ...]
    recommended: bool
    licence: str
    source: str


WEIGHTS: dict[str, WeightsRow] = {
    row.name: row
    for row in (
        WeightsRow(
            name="deeplab_v3_mobilenet_v2.voc_trainaug",
            network="deeplab_v3_mobilenet_v2",
            dataset="voc",
            trained_on="VOC 2012 trainaug (COCO pre-trained), 8-bit quantisation-aware",
            file="deeplabv3_mnv2_pascal_quant.tflite",
            url=_CORAL + "deeplabv3_mnv2_pascal_quant.tflite",
            sha256="350af47fd346ea6d74b58833a351f583ba860e9806ec5bd292ff8d8f1f249398",
            num_bytes=2_193_224,
            converter="tflite",
            preprocessing="tf",
            align_corners=True,
            batch_norm="folded",
            output_stride=16,
            metrics=(Metric(0.7426, "VOC 2012 val, single scale, 8-bit", "tensorflow/models zoo"),),
            recommended=True,
            licence="Apache-2.0",
            source="google-coral/test_data",
        ),
        WeightsRow(
            name="deeplab_v3_mobilenet_v2_050.voc_trainaug",
            network="deeplab_v3_mobilenet_v2_050",
            dataset="voc",
            trained_on="VOC 2012 trainaug (COCO pre-trained), 8-bit quantisation-aware",
            file="deeplabv3_mnv2_dm05_pascal_quant.tflite",
            url=_CORAL + "deeplabv3_mnv2_dm05_pascal_quant.tflite",
            sha256="0470d2a782aa54eeeb99d32e7b6b3fb7722905c7c4f5d26bd957ec861366d48b",
            num_bytes=760_904,
            converter="tflite",
            preprocessing="tf",
            align_corners=True,
            batch_norm="folded",
            output_stride=16,
            metrics=(Metric(0.6965, "VOC 2012 val, single scale, 8-bit", "tensorflow/models zoo"),),
            recommended=False,
            licence="Apache-2.0",
            source="google-coral/test_data",
        ),
    )
}
