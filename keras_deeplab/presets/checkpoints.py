"""Training conventions of each checkpoint format: normalisation, resize grid, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """The conventions of the networks that one reader reads.

    Attributes:
        converter: The reader in `keras_deeplab.weights.readers`.
        preprocessing: Normalisation of RGB 0-255 in training.
        align_corners: Grid of the bilinear resizes.
        padding: Zeros around strided convolutions in training: "symmetric", or "tensorflow", which
            pads the top and left less at even sizes (its "SAME"). Xception's are symmetric in every
            format.
        batch_norm: "folded" if batch norm is folded into the convolutions of the file.
        output_stride: Output stride in training. None: that of the network's preset.
        inference_size: Recommended (height, width) that photos are resized to fit. None: that of
            the dataset.
        multi_scale_inputs: Scales of the image in training, with shared weights.
        multi_scale_grid: Pixels at which the image was sampled for a scale: "size", the image's
            size divided by the rounded one, or "factor", exactly 1 / scale apart.
    """

    converter: str
    preprocessing: str
    align_corners: bool
    padding: str = "symmetric"
    batch_norm: str = "trainable"
    output_stride: int | None = None
    inference_size: tuple[int, int] | None = None
    multi_scale_inputs: tuple[float, ...] = ()
    multi_scale_grid: str = "size"


_TF: dict[str, Any] = {"preprocessing": "tf", "align_corners": True, "padding": "tensorflow"}

CHECKPOINTS: dict[str, CheckpointRow] = {
    row.converter: row
    for row in (
        # This package's own files, written by tools/train_bundled/pack.py.
        CheckpointRow(converter="arrays", **_TF, batch_norm="folded", output_stride=16),
        CheckpointRow(converter="caffe", preprocessing="caffe", align_corners=True),
        CheckpointRow(converter="hugging_face", **_TF, output_stride=8),
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
        CheckpointRow(converter="tf_slim", **_TF),
        CheckpointRow(converter="tflite", **_TF, batch_norm="folded"),
        CheckpointRow(converter="torchvision", preprocessing="torch", align_corners=False),
        CheckpointRow(
            converter="torchvision_mobilenet", preprocessing="torch", align_corners=False
        ),
        CheckpointRow(converter="vainf", preprocessing="torch", align_corners=False),
    )
}
