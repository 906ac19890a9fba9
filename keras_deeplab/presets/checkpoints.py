"""Training conventions of each checkpoint format: normalisation, resize grid, padding."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """The conventions of one format.

    Attributes:
        converter: The reader in `keras_deeplab.weights.readers`.
        preprocessing: Normalisation of RGB 0-255.
        align_corners: Grid of the bilinear resizes.
        padding: Zeros around strided convolutions, "symmetric" or "tensorflow". Xception's are
            symmetric in every format.
        batch_norm: "folded" if batch norm is folded into the convolutions of the file.
        output_stride: Output stride in training. None: that of the network's preset.
        multi_scale_grid: "size" or "factor", see `keras_deeplab.layers.RescaleBilinear`.
    """

    converter: str
    preprocessing: str
    align_corners: bool
    padding: str = "symmetric"
    batch_norm: str = "trainable"
    output_stride: int | None = None
    multi_scale_grid: str = "size"


CHECKPOINTS: dict[str, CheckpointRow] = {
    row.converter: row
    for row in (
        # This package's own files, written by tools/train_bundled/pack.py.
        CheckpointRow(
            converter="arrays",
            preprocessing="tf",
            align_corners=True,
            padding="tensorflow",
            batch_norm="folded",
            output_stride=16,
        ),
        CheckpointRow(converter="caffe", preprocessing="caffe", align_corners=True),
        CheckpointRow(
            converter="hugging_face",
            preprocessing="tf",
            align_corners=True,
            padding="tensorflow",
            output_stride=8,
        ),
        CheckpointRow(converter="jfzhang", preprocessing="torch", align_corners=True),
        # Published files were trained with PyTorch before 1.6, whose grid was "size"; see the
        # rows of the weights.
        CheckpointRow(
            converter="kazuto",
            preprocessing="caffe",
            align_corners=False,
            multi_scale_grid="factor",
        ),
        CheckpointRow(converter="mmseg", preprocessing="torch", align_corners=False),
        CheckpointRow(converter="smp", preprocessing="torch", align_corners=True),
        CheckpointRow(
            converter="tf_slim", preprocessing="tf", align_corners=True, padding="tensorflow"
        ),
        CheckpointRow(
            converter="tflite",
            preprocessing="tf",
            align_corners=True,
            padding="tensorflow",
            batch_norm="folded",
        ),
        CheckpointRow(converter="torchvision", preprocessing="torch", align_corners=False),
        CheckpointRow(
            converter="torchvision_mobilenet", preprocessing="torch", align_corners=False
        ),
        CheckpointRow(converter="vainf", preprocessing="torch", align_corners=False),
    )
}
