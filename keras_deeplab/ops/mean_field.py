"""Mean-field inference in the fully connected CRF (DeepLab v2 paper, section 3.3).

The energy of a labelling x is the sum of unaries psi_i(x_i) and, over all pairs of pixels, of
`mu(x_i, x_j) [w1 exp(-|p_i-p_j|^2 / 2 theta_alpha^2 - |I_i-I_j|^2 / 2 theta_beta^2)
+ w2 exp(-|p_i-p_j|^2 / 2 theta_gamma^2)]` with positions p (pixels) and colours I (RGB levels).

Reference: Chen et al., arXiv:1606.00915, section 3.3; Kraehenbuehl and Koltun, NIPS 2011.
"""

import difflib
import numbers
from collections.abc import Callable
from typing import Any

import tensorflow as tf

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
        >>> bilateral, spatial = gaussian_filters(image, theta_alpha=60, theta_beta=5, theta_gamma=3)
        >>> bilateral(tf.ones((1, 24, 32, 21))).shape
        TensorShape([1, 24, 32, 21])
    """
    build = _engine(engine)
    _check_widths(theta_alpha=theta_alpha, theta_beta=theta_beta, theta_gamma=theta_gamma)
    bilateral = build(image, [(theta_alpha, theta_beta, 1.0)], **options)
    return bilateral, build(image, [(theta_gamma, None, 1.0)], **options)


def iterate(
    unary: tf.Tensor, message: Filter, *, compatibility: Any = 1.0, num_iterations: int = 10
) -> tf.Tensor:
    """Runs the mean-field iteration with a given message passing step.

    Args:
        unary: `(B, H, W, C)` float32, nats; lower is likelier.
        message: maps probabilities to the weighted sum of the filtered probabilities, both
            `(B, H, W, C)`.
        compatibility: `mu`. A scalar or `(C,)` tensor stands for the diagonal matrix with minus these
            values, which for a scalar is the Potts model; a `(C, C)` tensor is `mu[l, l']` itself, where
            label l pays for neighbours with label l'.
        num_iterations: with 0 the result is softmax(-unary).

    Returns:
        Probabilities `(B, H, W, C)` float32. A NaN in the unary spreads to its neighbours' result.
    """
    evidence = -tf.cast(unary, tf.float32)
    probabilities = tf.nn.softmax(evidence)
    for _ in range(num_iterations):
        pairwise = message(probabilities)
        if _rank(compatibility) == 2:
            pairwise = -weigh(pairwise, compatibility)
        elif not _is_one(compatibility):
            pairwise = weigh(pairwise, compatibility)
        probabilities = tf.nn.softmax(evidence + pairwise)
    return probabilities


def weigh(values: tf.Tensor, weight: Any) -> tf.Tensor:
    """Weighs the last axis by a scalar, one weight per class `(C,)`, or a matrix `(C, C)`."""
    if _rank(weight) == 2:
        return tf.matmul(values, weight, transpose_b=True)
    return values * weight


def mean_field(
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
    """Approximates the marginals of the fully connected CRF.

    Called eagerly on a CPU this is twice as fast as inside a `tf.function`, where TensorFlow uses its
    oneDNN sparse product only if `TF_ENABLE_ONEDNN_SPMM=1` is set before the first graph runs.

    Args:
        unary: `(B, H, W, C)`, nats; lower is likelier.
        image: `(B, H, W, 3)`, RGB 0-255.
        theta_alpha: position width of the bilateral kernel, pixels.
        theta_beta: colour width of the bilateral kernel, RGB levels.
        theta_gamma: width of the spatial kernel, pixels.
        bilateral_weight: w1, a scalar, or a tensor `(C,)` or `(C, C)`.
        spatial_weight: w2, alike. Weights given as two Python numbers >= 0 take a faster road.
        compatibility: `mu`. A scalar or `(C,)` tensor stands for the diagonal matrix with minus these
            values, which for a scalar is the Potts model; a `(C, C)` tensor is `mu[l, l']` itself, where
            label l pays for neighbours with label l'.
        num_iterations: with 0 the result is softmax(-unary).
        engine: `"permutohedral"` (exact up to the lattice) or `"convolutional"` (within a window).
        **options: passed on to the engine's `image_filter`.

    Returns:
        Probabilities `(B, H, W, C)` float32. A NaN in the unary spreads to its neighbours' result.

    Raises:
        ValueError: if sizes differ, a width is not positive, `num_iterations` is negative or the engine
            is unknown.

    Example:
        >>> image = tf.random.uniform((1, 24, 32, 3), maxval=255.0)
        >>> unary = tf.random.uniform((1, 24, 32, 21))
        >>> mean_field(unary, image, theta_alpha=67, theta_beta=3, theta_gamma=1,
        ...            bilateral_weight=4.0, spatial_weight=3.0).shape
        TensorShape([1, 24, 32, 21])
    """
    _check_inputs(unary, image, num_iterations)
    widths = {"theta_alpha": theta_alpha, "theta_beta": theta_beta, "theta_gamma": theta_gamma}
    _check_widths(**widths)
    build = _engine(engine)
    if num_iterations == 0:
        return tf.nn.softmax(-tf.cast(unary, tf.float32))
    if _is_weight(bilateral_weight) and _is_weight(spatial_weight):
        kernels = [
            (theta_alpha, theta_beta, bilateral_weight),
            (theta_gamma, None, spatial_weight),
        ]
        message = build(image, kernels, **options)
    else:
        bilateral, spatial = gaussian_filters(image, engine=engine, **widths, **options)

        def message(values: tf.Tensor) -> tf.Tensor:
            weighted = weigh(bilateral(values), bilateral_weight)
            return weighted + weigh(spatial(values), spatial_weight)

    return iterate(unary, message, compatibility=compatibility, num_iterations=num_iterations)


def mean_field_logits(unary, image, **kw):
    return tf.math.log(mean_field(unary, image, **kw))


def _rank(value: Any) -> int | None:
    return 0 if isinstance(value, numbers.Real) else tf.convert_to_tensor(value).shape.rank


def _is_one(value: Any) -> bool:
    return isinstance(value, numbers.Real) and value == 1


def _is_weight(value: Any) -> bool:
    return isinstance(value, numbers.Real) and value >= 0


def _engine(name: str) -> Callable[..., Filter]:
    if name in _ENGINES:
        return _ENGINES[name]
    close = difflib.get_close_matches(str(name), _ENGINES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose one of {sorted(_ENGINES)}."
    raise ValueError(f"The engine must be known. Received: engine={name!r}; {hint}")


def _check_widths(**widths: Any) -> None:
    for name, value in widths.items():
        if isinstance(value, numbers.Real) and not value > 0:
            raise ValueError(
                f"Kernel widths must be positive. Received: {name}={value}; "
                "to switch a kernel off, set its weight to 0."
            )


def _check_inputs(unary: tf.Tensor, image: tf.Tensor, num_iterations: int) -> None:
    if num_iterations < 0:
        raise ValueError(
            f"The number of iterations must not be negative. Received: num_iterations="
            f"{num_iterations}; 0 returns softmax(-unary)."
        )
    unary_shape, image_shape = tf.TensorShape(unary.shape), tf.TensorShape(image.shape)
    if not (
        unary_shape.rank == image_shape.rank == 4
        and unary_shape[:3].is_compatible_with(image_shape[:3])
        and image_shape[3] == 3
    ):
        raise ValueError(
            "The unary must be (B, H, W, C) and the image (B, H, W, 3) with equal batch and size. "
            f"Received: unary.shape={unary_shape}, image.shape={image_shape}; resize one to the other."
        )
