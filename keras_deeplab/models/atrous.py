"""Strides and atrous rates for an output stride."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from keras_deeplab._validation import check_choice


class StrideAndRate(NamedTuple):
    """The stride of one block and the atrous rate of its spatial convolution."""

    stride: int
    rate: int


def output_stride_plan(strides: Sequence[int], output_stride: int) -> list[StrideAndRate]:
    """Computes strides and atrous rates that give features at ``output_stride``.

    Strides are kept until ``output_stride`` is reached and removed from then on. A block whose
    stride was removed keeps the current rate; the rate of all following blocks is multiplied by
    that stride. With the same weights, the subsampled features then equal those of the network with
    all its strides.

    Args:
        strides: Stride of every block in order, including the stem.
        output_stride: Input pixels per feature pixel.

    Returns:
        One `StrideAndRate` per block.

    Raises:
        ValueError: If ``output_stride`` is not a product of the first strides.

    Example:

    >>> [tuple(step) for step in output_stride_plan([2, 2, 1, 2, 1], output_stride=4)]
    [(2, 1), (2, 1), (1, 1), (1, 1), (1, 2)]

    Reference:
        Chen et al., arXiv:1706.05587, section 3.1.
    """
    reachable = [1]
    for stride in strides:
        reachable.append(reachable[-1] * stride)
    check_choice("output_stride", output_stride, sorted(set(reachable)))
    plan = []
    current, rate = 1, 1
    for stride in strides:
        if current < output_stride:
            plan.append(StrideAndRate(stride, 1))
            current *= stride
        else:
            plan.append(StrideAndRate(1, rate))
            rate *= stride
    return plan
