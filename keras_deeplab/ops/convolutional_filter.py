"""Gaussian filtering within a window (Teichmann and Cipolla, arXiv:1805.04777).

Each pixel receives messages from a window of pixels around it, with exact Gaussian weights. Every
operation is a static standard one (pad, slice, multiply, add, exp, depthwise convolution), so that
the filter converts to TFLite with builtin operators and compiles with XLA.

The result differs from the fully connected filter if a kernel is larger than the window. With
the defaults, labels agreed with the permutohedral engine on 89.0 to 99.0 % of pixels in the four
examples of pydensecrf (2 and 3 classes, theta_alpha 80, theta_beta 13; mean |dQ| 0.007 to 0.110),
with window 11 on 93.1 to 99.2 %, and on about 84 to 88 % for random unaries of 21 classes; single
pixels can differ by up to 1.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

Filter = Callable[[tf.Tensor], tf.Tensor]


def image_filter(
    image: tf.Tensor,
    kernels: Sequence[tuple[float, float | None, float]],
    *,
    window: int = 7,
    dilation: int = 12,
) -> Filter:
    """Builds a weighted sum of symmetrically normalised Gaussian filters over the pixels of images.

    Args:
        image: `(B, H, W, 3)` float32, RGB 0-255.
        kernels: for each kernel its width in pixels, its width in RGB levels (`None`: independent
            of colour) and its weight >= 0.
        window: odd number of pixels per side in the window of a kernel with colours.
        dilation: distance of these pixels. Kernels without colours are separable and use every
            pixel within three widths.

    Returns:
        A function from `(B, H, W, C)` float32 to the same shape.
    """
    parts = []
    for position, colour, weight in kernels:
        raw = (
            _spatial(position)
            if colour is None
            else _bilateral(image, position, colour, window // 2, dilation)
        )
        parts.append(_normalised(raw, tf.ones_like(image[..., :1]), weight))

    def run(values: tf.Tensor) -> tf.Tensor:
        return tf.add_n([part(values) for part in parts])

    return run


def _normalised(raw: Filter, ones: tf.Tensor, weight: float) -> Filter:
    norm = tf.sqrt(weight / (raw(ones) + 1e-20))

    def run(values: tf.Tensor) -> tf.Tensor:
        return raw(values * norm) * norm

    return run


def _spatial(width: float) -> Filter:
    reach = math.ceil(3 * width)
    line = tf.exp(-0.5 * tf.square(tf.range(-reach, reach + 1, dtype=tf.float32) / width))

    def run(values: tf.Tensor) -> tf.Tensor:
        for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
            kernel = tf.repeat(tf.reshape(line, shape), values.shape[-1], axis=2)
            values = tf.nn.depthwise_conv2d(values, kernel, [1, 1, 1, 1], "SAME")
        return values

    return run


def _bilateral(
    image: tf.Tensor, position: float, colour: float, reach: int, dilation: int
) -> Filter:
    height, width = (image.shape[i] or tf.shape(image)[i] for i in (1, 2))
    margin = reach * dilation
    around = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    offsets = [
        (margin + dilation * y, margin + dilation * x)
        for y in range(-reach, reach + 1)
        for x in range(-reach, reach + 1)
    ]

    def shift(padded: tf.Tensor, top: int, left: int) -> tf.Tensor:
        return padded[:, top : top + height, left : left + width]

    # Pixels outside the image are zero, so their weights are irrelevant.
    colours = tf.pad(image / colour, around)
    weights = []
    for top, left in offsets:
        distance = ((top - margin) ** 2 + (left - margin) ** 2) / position**2
        difference = tf.math.squared_difference(shift(colours, top, left), image / colour)
        weights.append(tf.exp(-0.5 * (tf.reduce_sum(difference, -1, keepdims=True) + distance)))

    def run(values: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(values, around)
        return tf.add_n([w * shift(padded, *at) for w, at in zip(weights, offsets, strict=True)])

    return run
