"""Stride planning: which blocks stride and which dilate instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from keras_deeplab._validation import check_choice


class StrideAndRate(NamedTuple):
    """What one block does: its stride, and the atrous rate of its spatial convolution."""

    stride: int
    rate: int


def output_stride_plan(strides: Sequence[int], output_stride: int) -> list[StrideAndRate]:
    """Plans strides and atrous rates so that features come at ``output_stride``.

    Strides are kept until ``output_stride`` is reached. From then on a block does not stride;
    the block whose stride was removed keeps the rate so far, and the blocks after it dilate by
    that stride more, so that with the same weights the features, subsampled, equal those of the
    network with all its strides.

    Args:
        strides: Stride of every block in order, the stem included.
        output_stride: Input pixels per feature pixel.

    Returns:
        One `StrideAndRate` per block.

    Raises:
        ValueError: If no run of ``strides`` multiplies to ``output_stride``.

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
