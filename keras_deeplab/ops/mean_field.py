"""Mean-field inference in the dense CRF (DeepLab v2 paper, section 3.3).

The energy of a labelling x is the sum of unaries psi_i(x_i) and, over all pairs of pixels, of
`mu(x_i, x_j) [w1 exp(-|p_i-p_j|^2 / 2 theta_alpha^2 - |I_i-I_j|^2 / 2 theta_beta^2)
+ w2 exp(-|p_i-p_j|^2 / 2 theta_gamma^2)]` with positions p (pixels) and colours I (RGB levels).

Reference: Chen et al., arXiv:1606.00915, section 3.3; Kraehenbuehl and Koltun, NIPS 2011.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_deeplab._validation import check_choice, check_int
from keras_deeplab.ops import convolutional_filter, permutohedral

Filter = Callable[[tf.Tensor], tf.Tensor]

_ENGINES: dict[str, Callable[..., Filter]] = {
    "permutohedral": permutohedral.image_filter,
    "convolutional": convolutional_filter.image_filter,
}


def gaussian_filters(
    image: tf.Tensor,
    *,
    theta_alpha: float,
    theta_beta: float,
    theta_gamma: float,
    engine: str = "permutohedral",
    **options: Any,
) -> tuple[Filter, Filter]:
    """Builds the bilateral and the spatial filter of an image, each symmetrically normalised.

    Args:
        image: `(B, H, W, 3)`, RGB 0-255.
        theta_alpha: position width of the bilateral kernel, pixels.
        theta_beta: colour width of the bilateral kernel, RGB levels.
        theta_gamma: width of the spatial kernel, pixels.
        engine: `"permutohedral"` (exact up to the lattice) or `"convolutional"` (within a window).
        **options: passed on to the engine's `image_filter`.

    Returns:
        Two functions from `(B, H, W, C)` float32 to the same shape, differentiable.

    Raises:
        ValueError: if a width is not positive or the engine is unknown.

    Example:
        >>> image = tf.random.uniform((1, 24, 32, 3), maxval=255.0)
        >>> bilateral, spatial = gaussian_filters(
        ...     image, theta_alpha=60, theta_beta=5, theta_gamma=3)
        >>> bilateral(tf.ones((1, 24, 32, 21))).shape
        TensorShape([1, 24, 32, 21])
    """
    check_choice("engine", engine, tuple(_ENGINES))
    _check_widths(theta_alpha=theta_alpha, theta_beta=theta_beta, theta_gamma=theta_gamma)
    build = _ENGINES[engine]
    bilateral = build(image, [(theta_alpha, theta_beta, 1.0)], **options)
    return bilateral, build(image, [(theta_gamma, None, 1.0)], **options)


def iterate(
    unary: tf.Tensor, message: Filter, *, compatibility: Any = 1.0, num_iterations: int = 10
) -> tf.Tensor:
    """Runs mean-field iterations with a given message-passing step.

    Args:
        unary: `(B, H, W, C)` float32, nats; lower is likelier.
        message: maps probabilities to the weighted sum of the filtered probabilities, both
            `(B, H, W, C)`.
        compatibility: `mu`. A scalar or `(C,)` tensor gives the negated diagonal of a diagonal
            matrix; a scalar is the Potts model. A `(C, C)` tensor is `mu[l, l']` itself, the cost
            of label l for neighbours with label l'.
        num_iterations: with 0 the result is -unary.

    Returns:
        Logits of the marginals, `(B, H, W, C)` float32.
    """
    unary = tf.cast(unary, tf.float32)
    logits = -unary
    for _ in range(num_iterations):
        probabilities = tf.nn.softmax(logits)
        del logits  # a quarter of the peak memory
        pairwise = message(probabilities)
        if _rank(compatibility) == 2:
            logits = -weigh(pairwise, compatibility) - unary
        elif _is_one(compatibility):
            logits = pairwise - unary
        else:
            logits = weigh(pairwise, compatibility) - unary
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


def weigh(values: tf.Tensor, weight: Any) -> tf.Tensor:
    """Weighs the last axis by a scalar, one weight per class `(C,)`, or a matrix `(C, C)`."""
    if _rank(weight) == 2:
        return tf.matmul(values, weight, transpose_b=True)
    return values * weight


def mean_field_logits(
    unary: tf.Tensor,
    image: tf.Tensor,
    *,
    theta_alpha: float,
    theta_beta: float,
    theta_gamma: float,
    bilateral_weight: Any,
    spatial_weight: Any,
    compatibility: Any = 1.0,
    num_iterations: int = 10,
    engine: str = "permutohedral",
    **options: Any,
) -> tf.Tensor:
    """Approximates the marginals of the dense CRF and returns their logits.

    Args:
        unary: `(B, H, W, C)`, nats; lower is likelier.
        image: `(B, H, W, 3)`, RGB 0-255.
        theta_alpha: position width of the bilateral kernel, pixels.
        theta_beta: colour width of the bilateral kernel, RGB levels.
        theta_gamma: width of the spatial kernel, pixels.
        bilateral_weight: w1, a scalar, or a tensor `(C,)` or `(C, C)`.
        spatial_weight: w2, of the same types. Two Python numbers >= 0 use a faster implementation.
        compatibility: `mu`. A scalar or `(C,)` tensor gives the negated diagonal of a diagonal
            matrix; a scalar is the Potts model. A `(C, C)` tensor is `mu[l, l']` itself, the cost
            of label l for neighbours with label l'.
        num_iterations: with 0 the result is -unary.
        engine: `"permutohedral"` (exact up to the lattice) or `"convolutional"` (within a window).
        **options: passed on to the engine's `image_filter`.

    Returns:
        Logits `(B, H, W, C)` float32. A NaN in the unary spreads to the whole image.

    Raises:
        ValueError: if sizes differ, a width is not positive, `num_iterations` is negative or the
            engine is unknown.

    Example:
        >>> image = tf.random.uniform((1, 24, 32, 3), maxval=255.0)
        >>> unary = tf.random.uniform((1, 24, 32, 21))
        >>> mean_field_logits(unary, image, theta_alpha=67, theta_beta=3, theta_gamma=1,
        ...                   bilateral_weight=4.0, spatial_weight=3.0).shape
        TensorShape([1, 24, 32, 21])
    """
    _check_shapes(unary, image)
    check_int("num_iterations", num_iterations, minimum=0)
    unary = tf.cast(unary, tf.float32)
    widths = {"theta_alpha": theta_alpha, "theta_beta": theta_beta, "theta_gamma": theta_gamma}
    _check_widths(**widths)
    check_choice("engine", engine, tuple(_ENGINES))
    if num_iterations == 0:
        return -unary
    classes = unary.shape[-1]
    if engine == "permutohedral":
        # Sparse products are up to three times faster with full SIMD registers. The padding classes
        # have probability 0.
        spare = -classes % permutohedral.REGISTER
        unary = tf.pad(unary, [[0, 0]] * 3 + [[0, spare]], constant_values=math.inf)
        bilateral_weight, spatial_weight, compatibility = (
            _pad(weight, spare) for weight in (bilateral_weight, spatial_weight, compatibility)
        )
    if all(_is_weight(w) for w in (bilateral_weight, spatial_weight, compatibility)):
        kernels = [
            (theta_alpha, theta_beta, bilateral_weight * compatibility),
            (theta_gamma, None, spatial_weight * compatibility),
        ]
        if engine == "permutohedral" and tf.executing_eagerly() and not options:
            scalars = [tf.cast(x, tf.float32) for x in (*widths.values(), *(k[2] for k in kernels))]
            image = tf.cast(image, tf.float32)
            return _whole(num_iterations, unary.shape[-1])(unary, image, *scalars)[..., :classes]
        message = _ENGINES[engine](image, kernels, **options)
        compatibility = 1.0
    else:
        bilateral, spatial = gaussian_filters(image, engine=engine, **widths, **options)

        def message(values: tf.Tensor) -> tf.Tensor:
            weighted = weigh(bilateral(values), bilateral_weight)
            return weighted + weigh(spatial(values), spatial_weight)

    logits = iterate(unary, message, compatibility=compatibility, num_iterations=num_iterations)
    return logits[..., :classes]


def mean_field(unary: tf.Tensor, image: tf.Tensor, **options: Any) -> tf.Tensor:
    """Approximates the marginals of the dense CRF.

    Args:
        unary: `(B, H, W, C)`, nats; lower is likelier.
        image: `(B, H, W, 3)`, RGB 0-255.
        **options: `theta_alpha`, `theta_beta`, `theta_gamma`, `bilateral_weight`, `spatial_weight`
            and the other keyword arguments of `mean_field_logits`.

    Returns:
        Probabilities `(B, H, W, C)` float32.
    """
    return tf.nn.softmax(mean_field_logits(unary, image, **options))


def _rank(value: Any) -> int | None:
    return 0 if isinstance(value, numbers.Real) else tf.convert_to_tensor(value).shape.rank


def _pad(weight: Any, spare: int) -> Any:
    """Appends zeros for added classes."""
    rank = _rank(weight)
    return tf.pad(weight, [[0, spare]] * rank) if rank else weight


def _is_one(value: Any) -> bool:
    return isinstance(value, numbers.Real) and value == 1


def _is_weight(value: Any) -> bool:
    return isinstance(value, numbers.Real) and float(value) >= 0


def _check_widths(**widths: Any) -> None:
    for name, value in widths.items():
        if isinstance(value, numbers.Real) and not float(value) > 0:
            raise ValueError(
                f"{name} must be positive. Received: {name}={value}. "
                f"To switch a kernel off, set its weight to 0."
            )


def _check_shapes(unary: tf.Tensor, image: tf.Tensor) -> None:
    unary_shape, image_shape = tf.TensorShape(unary.shape), tf.TensorShape(image.shape)
    if not (
        unary_shape.rank == image_shape.rank == 4
        and unary_shape[:3].is_compatible_with(image_shape[:3])
        and image_shape[3] == 3
    ):
        raise ValueError(
            "The unary must be (B, H, W, C) and the image (B, H, W, 3) of the same batch and size. "
            f"Received: unary.shape={unary_shape}, image.shape={image_shape}. "
            f"Resize one to the other."
        )
