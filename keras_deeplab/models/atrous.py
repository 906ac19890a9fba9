"""Atrous convolution: strides and rates for an output stride, and any network with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import tree

from keras_deeplab._startup import start_backend
from keras_deeplab._validation import check_choice
from keras_deeplab.models.rewriting import check_image_model, rewrite


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
        output_stride: Input pixels per feature pixel, a product of the first strides.

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


def atrous(model: keras.Model, output_stride: int = 16, *, check: bool = True) -> keras.Model:
    """Rewrites any functional network for a smaller output stride, with the same weights.

    Strides beyond ``output_stride`` are removed, and the layers behind them dilate. The rule is
    that of `output_stride_plan`, along the paths of the graph: a layer whose stride is removed
    keeps the rate of its input. Poolings dilate as well, paddings and croppings are scaled by the
    rate, and the layers of networks inside the network are rewritten too. The weights are copied.

    The features of the new network, subsampled, are then those of ``model``. This is checked on
    a random image, unless ``check`` is False. Squeeze-excites and group norms use statistics of
    all positions, which there are more of: their values change slightly. The check leaves the
    additional positions out of them.

    A network with "same" padding at its strides pads one side only where a map has an even size.
    Its features are then moved by one pixel of that map at those sizes, and branches with other
    paddings by other distances. The atrous network pads both sides alike, so that it equals the
    original network at sizes that are a multiple of its largest stride, plus one.

    Args:
        model: A functional `keras.Model` or a `keras.Sequential` with one image as its input. If
            it is a classifier, the output is the map that its pooling or `keras.layers.Flatten`
            takes.
        output_stride: Input pixels per feature pixel.
        check: Whether to compare the features of a random image with those of ``model``.

    Returns:
        A functional model from images of any size, in the format that ``model`` takes, to its
        features. Several outputs are kept in their structure.

    Raises:
        TypeError: If ``model`` is not a model.
        ValueError: If a layer cannot be rewritten (its name and the reason are given), the network
            has no such output stride, or the features differ.

    Example:

    >>> network = keras.applications.MobileNetV2(weights=None, include_top=False)
    >>> atrous(network, output_stride=8)(keras.ops.ones((1, 65, 65, 3))).shape
    TensorShape([1, 9, 9, 1280])

    Reference:
        Chen et al., arXiv:1606.00915, section 3.1; arXiv:1706.05587, section 3.1.
    """
    start_backend()
    check_image_model(model)
    original = model.inputs[0]
    image = keras.Input((None, None, original.shape[-1]), dtype=original.dtype, name=original.name)
    outputs, _ = rewrite(model, image, output_stride=output_stride, check=check)
    return keras.Model(
        image, tree.map_structure(lambda value: value.tensor, outputs), name=model.name
    )
