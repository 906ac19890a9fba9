"""Options of the head of a network, in addition to its preset and its features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """Options of every head.

    Attributes:
        classes: Number of classes.
        output_stride: Input pixels per pixel of the backbone's output.
        align_corners: Grid of the bilinear resizes.
        batch_norm: "trainable"; "frozen" (always uses its stored statistics); or "folded" (no batch
            norm: the convolutions have a bias instead). LargeFOV and ``aspp_sum`` have none.
    """

    classes: int
    output_stride: int
    align_corners: bool = False
    batch_norm: str = "trainable"
