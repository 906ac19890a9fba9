"""What the head of a network is built from, besides its row and its features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """What every head takes.

    Attributes:
        classes: Number of classes.
        output_stride: Input pixels per pixel of the backbone's output.
        align_corners: Grid of the bilinear resizes.
        batch_norm: "trainable"; "frozen" (always its stored statistics); or "folded" (none: the
            convolutions carry a bias instead). LargeFOV and the sum of v2 have none.
    """

    classes: int
    output_stride: int
    align_corners: bool = False
    batch_norm: str = "trainable"
