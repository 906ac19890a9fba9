"""Random initial values without compilation on JAX."""

from __future__ import annotations

import math
from typing import Any, final

import keras
import numpy as np


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class ScaledUniform(keras.initializers.VarianceScaling):
    """`keras.initializers.VarianceScaling`, uniform, drawn by NumPy on the JAX backend.

    JAX compiles the random number generation for every shape, which dominates the time to build a
    network. On other backends the values are those of Keras.

    Args:
        scale: Scaling factor: 1 with ``mode="fan_avg"`` is Glorot's initialisation, 2 with
            ``mode="fan_in"`` He's.
        mode: "fan_in", "fan_out" or "fan_avg".
        seed: Integer, or None for different values each time (see `keras.utils.set_random_seed`).

    Example:

    >>> ScaledUniform()((3, 3, 8, 16)).shape
    TensorShape([3, 3, 8, 16])

    Reference:
        Glorot and Bengio, AISTATS 2010; He et al., arXiv:1502.01852.
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_avg", seed: int | None = None) -> None:
        super().__init__(scale, mode, "uniform", seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if keras.backend.backend() != "jax":
            return super().__call__(shape, dtype)
        receptive_field = math.prod(shape[:-2])
        fan_in, fan_out = (receptive_field * channels for channels in shape[-2:])
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        limit = math.sqrt(3 * self.scale / fan)
        values = np.random.default_rng(self.seed).uniform(-limit, limit, shape)
        return keras.ops.convert_to_tensor(values, dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("scale", "mode", "seed")}
