"""Mean-field inference in the dense CRF (DeepLab v2 paper, section 3.3).

The energy of a labelling x is the sum of unaries psi_i(x_i) and, over all pairs of pixels, of
`mu(x_i, x_j) [w1 exp(-|p_i-p_j|^2 / 2 theta_alpha^2 - |I_i-I_j|^2 / 2 theta_beta^2)
+ w2 exp(-|p_i-p_j|^2 / 2 theta_gamma^2)]` with positions p (pixels) and colours I (RGB levels).

Reference: Chen et al., arXiv:1606.00915, section 3.3; Kraehenbuehl and Koltun, NIPS 2011.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_deeplab.ops import convolutional_filter, permutohedral

Filter = Callable[[tf.Tensor], tf.Tensor]

_ENGINES: dict[str, Callable[..., Filter]] = {
    "permutohedral": permutohedral.image_filter,
    "convolutional": convolutional_filter.image_filter,
}


def mean_field_logits(
    unary: tf.Tensor,
    image: tf.Tensor,
    *,
    theta_alpha: float,
    theta_beta: float,
    theta_gamma: float,
    bilateral_weight: Any,
    spatial_weight: Any,
    compatibility: Any = None,
    num_iterations: int = 10,
    engine: str = "permutohedral",
) -> tf.Tensor:
    """Approximates the marginals of the dense CRF and returns their logits.

    Args:
        unary: `(B, H, W, C)`, nats; lower is likelier.
        image: `(B, H, W, 3)`, RGB 0-255.
        theta_alpha: position width of the bilateral kernel, pixels.
        theta_beta: colour width of the bilateral kernel, RGB levels.
        theta_gamma: width of the spatial kernel, pixels.
        bilateral_weight: w1, a number >= 0, or a tensor `(C,)` or `(C, C)`.
        spatial_weight: w2, of the same types. Two numbers use a faster implementation.
        compatibility: `mu`. A `(C, C)` tensor is the cost `mu[l, l']` of label l for neighbours
            with label l'. None: the Potts model.
        num_iterations: with 0 the result is -unary.
        engine: `"permutohedral"` (exact up to the lattice) or `"convolutional"` (within a window).

    Returns:
        Logits `(B, H, W, C)` float32. A NaN in the unary spreads to the whole image.
    """
    unary, image = tf.cast(unary, tf.float32), tf.cast(image, tf.float32)
    if num_iterations == 0:
        return -unary
    classes = unary.shape[-1]
    weights = [bilateral_weight, spatial_weight, compatibility]
    if engine == "permutohedral":
        # Sparse products are up to three times faster with full SIMD registers. The padding classes
        # have probability 0.
        spare = -classes % permutohedral.REGISTER
        unary = tf.pad(unary, [[0, 0]] * 3 + [[0, spare]], constant_values=math.inf)
        weights = [tf.pad(w, [[0, spare]] * _rank(w)) if _rank(w) else w for w in weights]
    w1, w2, compatibility = weights
    build = functools.partial(_ENGINES[engine], image)
    if not _rank(w1) and not _rank(w2) and compatibility is None:
        if engine == "permutohedral" and tf.executing_eagerly():
            scalars = [
                tf.cast(number, tf.float32)
                for number in (theta_alpha, theta_beta, theta_gamma, w1, w2)
            ]
            return _whole(num_iterations, unary.shape[-1])(unary, image, *scalars)[..., :classes]
        message = build([(theta_alpha, theta_beta, w1), (theta_gamma, None, w2)])
    else:
        bilateral = build([(theta_alpha, theta_beta, 1.0)])
        spatial = build([(theta_gamma, None, 1.0)])

        def message(values: tf.Tensor) -> tf.Tensor:
            return _weigh(bilateral(values), w1) + _weigh(spatial(values), w2)

    logits = iterate(unary, message, compatibility=compatibility, num_iterations=num_iterations)
    return logits[..., :classes]


def mean_field(unary: tf.Tensor, image: tf.Tensor, **options: Any) -> tf.Tensor:
    """Returns the probabilities of `mean_field_logits`, `(B, H, W, C)` float32."""
    return tf.nn.softmax(mean_field_logits(unary, image, **options))


def iterate(
    unary: tf.Tensor, message: Filter, *, compatibility: Any = None, num_iterations: int = 10
) -> tf.Tensor:
    """Runs mean-field iterations, where ``message`` maps probabilities to the weighted sum of the
    filtered probabilities.

    Returns:
        Logits of the marginals, `(B, H, W, C)` float32.
    """  # noqa: D205
    logits = -unary
    for _ in range(num_iterations):
        probabilities = tf.nn.softmax(logits)
        del logits  # a quarter of the peak memory
        pairwise = message(probabilities)
        if compatibility is not None:
            pairwise = -_weigh(pairwise, compatibility)
        logits = pairwise - unary
        del pairwise, probabilities
    return logits


@functools.cache
def _whole(num_iterations: int, classes: int) -> Callable[..., tf.Tensor]:
    """Returns the complete inference as a function traced once for all sizes and parameters.

    A graph frees and reuses memory earlier than eager execution.
    """

    def run(
        unary: tf.Tensor, image: tf.Tensor, alpha: Any, beta: Any, gamma: Any, w1: Any, w2: Any
    ) -> tf.Tensor:
        message = permutohedral.image_filter(image, [(alpha, beta, w1), (gamma, None, w2)])
        return iterate(unary, message, num_iterations=num_iterations)

    shapes = [(None, None, None, classes), (None, None, None, 3), *[()] * 5]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(run, input_signature=signature, autograph=False)


def _rank(weight: Any) -> int:
    return len(getattr(weight, "shape", ()))


def _weigh(values: tf.Tensor, weight: Any) -> tf.Tensor:
    """Weighs the last axis by a scalar, one weight per class `(C,)`, or a matrix `(C, C)`."""
    return tf.matmul(values, weight, transpose_b=True) if _rank(weight) == 2 else values * weight
