"""The dense CRF as post-processing of a network's scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from keras_deeplab._startup import hold_stderr
from keras_deeplab._validation import check_choice
from keras_deeplab.presets.crfs import CRFS, DEFAULT_CRF, CRFParameters

_SMALLEST_PROBABILITY = 1e-8
_NEGLIGIBLE_PROBABILITY = 1e-3


@dataclass(frozen=True)
class DenseCRF(CRFParameters):
    """Refines class scores so that nearby pixels of similar colour tend to share a label.

    For NumPy arrays, classes with a probability below 0.001 in every pixel are skipped and keep
    their probabilities, which saves time.

    The energy of a labelling is the sum of the unary energies -log P of all pixels, plus, for all
    pairs of pixels with different labels, two Gaussian kernels: a bilateral one of position and
    colour and a spatial one of position. Mean-field inference minimises it approximately.

    The CRF improves coarse masks most and can reduce the accuracy of networks with sharp masks:
    `keras_deeplab.tune_crf` searches parameters for a network.

    Args:
        bilateral_weight: Weight w1 of the bilateral kernel.
        theta_alpha: Spatial standard deviation of the bilateral kernel, pixels.
        theta_beta: Colour standard deviation of the bilateral kernel, RGB levels.
        spatial_weight: Weight w2 of the spatial kernel.
        theta_gamma: Standard deviation of the spatial kernel, pixels.
        num_iterations: Mean-field iterations; 0 returns the unrefined probabilities.
        engine: "permutohedral" is exact up to the lattice; "convolutional" is restricted to a
            local window.

    Raises:
        TypeError: If ``num_iterations`` is not an integer.
        ValueError: If a parameter is out of range.

    Example:

    >>> crf = DenseCRF.preset("v2_resnet101", num_iterations=5)
    >>> image = np.zeros((24, 32, 3), "uint8")
    >>> crf(np.full((24, 32, 21), 1 / 21, "float32"), image).shape
    (24, 32, 21)

    Reference:
        Chen et al., arXiv:1606.00915, section 3.3; Kraehenbuehl and Koltun, arXiv:1210.5644.
    """

    @classmethod
    def preset(cls, name: str = DEFAULT_CRF, **changes: Any) -> DenseCRF:
        """Returns the CRF with the parameters of a preset in `keras_deeplab.presets.crfs`.

        Args:
            name: Name of the preset.
            **changes: Parameters to override.

        Raises:
            ValueError: If the name is unknown.
        """
        check_choice("preset", name, tuple(CRFS))
        return cls(**{**asdict(CRFS[name]), **changes})

    def __call__(self, scores: Any, image: Any, *, from_logits: bool = False) -> Any:
        """Refines the scores of one photo or a batch.

        Args:
            scores: Probabilities, or logits, of shape ([batch,] height, width, classes).
            image: RGB 0-255, of shape ([batch,] height, width, 3).
            from_logits: Whether ``scores`` are logits.

        Returns:
            Probabilities of the shape of ``scores``, float32: a NumPy array for NumPy arrays, a
            tensor for tensors.

        Raises:
            ValueError: If shapes do not fit, there are fewer than two classes, or NumPy arrays
                hold NaN or an image outside 0-255.
        """
        import tensorflow as tf

        _check(scores, image, from_logits=from_logits)
        arrays, single = isinstance(scores, np.ndarray), len(scores.shape) == 3
        scores, image = (tf.cast(x, tf.float32) for x in (scores, image))
        if single:
            scores, image = scores[None], image[None]
        logits = scores if from_logits else tf.math.log(tf.maximum(scores, _SMALLEST_PROBABILITY))
        solve = self._solve_for_those_there if arrays else self._solve
        probabilities = solve(logits, image)
        probabilities = probabilities[0] if single else probabilities
        return probabilities.numpy() if arrays else probabilities

    def _solve_for_those_there(self, logits: Any, image: Any) -> Any:
        """Runs the CRF for the classes that occur in the photos only."""
        import tensorflow as tf

        own = tf.nn.softmax(logits)
        likely = (tf.reduce_max(own, (0, 1, 2)) >= _NEGLIGIBLE_PROBABILITY).numpy()
        if likely.all():
            return self._solve(logits, image)
        there, absent = np.flatnonzero(likely), np.flatnonzero(~likely)
        rest = tf.gather(own, absent, axis=-1)
        solved = self._solve(tf.gather(logits, there, axis=-1), image)
        solved *= 1 - tf.reduce_sum(rest, -1, keepdims=True)
        return tf.gather(tf.concat([solved, rest], -1), np.argsort([*there, *absent]), axis=-1)

    def _solve(self, logits: Any, image: Any) -> Any:
        from keras_deeplab.ops.mean_field import mean_field

        _start()
        return mean_field(-logits, image, **asdict(self))


@cache
def _start() -> None:
    """Traces the CRF on two pixels, which TensorFlow reports on once."""
    import tensorflow as tf

    from keras_deeplab.ops.mean_field import mean_field

    with hold_stderr():
        mean_field(tf.zeros((1, 1, 2, 2)), tf.zeros((1, 1, 2, 3)), **asdict(DenseCRF()))


def resolve_crf(crf: DenseCRF | str | bool) -> DenseCRF | None:
    """Returns the CRF for an option: True is the default, a name a preset, False no CRF."""
    if isinstance(crf, DenseCRF):
        return crf
    if isinstance(crf, str):
        return DenseCRF.preset(crf)
    return DenseCRF() if crf else None


def _check(scores: Any, image: Any, *, from_logits: bool) -> None:
    a, b = tuple(scores.shape), tuple(image.shape)
    fits = len(a) in (3, 4) and len(a) == len(b) and a[:-1] == b[:-1] and b[-1] == 3
    if not fits or a[-1] is None or a[-1] < 2:
        raise ValueError(
            f"scores must have shape ([batch,] height, width, classes) with two classes or more, "
            f"and image ([batch,] height, width, 3) of the same size. Received: {a} and {b}. "
            f"Resize the scores to the image."
        )
    if isinstance(scores, np.ndarray):
        if not np.isfinite(scores).all():
            raise ValueError("scores must be finite. Received: NaN or infinite values.")
        if not from_logits and (scores.min() < -1e-3 or scores.max() > 1 + 1e-3):
            raise ValueError(
                f"Probabilities must lie between 0 and 1. Received: {scores.min():.3g} to "
                f"{scores.max():.3g}. Pass from_logits=True for logits."
            )
    if isinstance(image, np.ndarray) and image.size:
        if image.min() < 0 or image.max() > 255:
            raise ValueError(
                f"The image must be RGB 0-255. Received: levels {image.min()} to {image.max()}."
            )
        if np.issubdtype(image.dtype, np.floating) and 0 < image.max() <= 1:
            raise ValueError(
                f"The image must be RGB 0-255. Received: levels up to {image.max():.3g}, which "
                f"look like 0-1. Multiply it by 255."
            )
