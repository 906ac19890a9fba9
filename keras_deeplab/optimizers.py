"""Optimizers with learning rates per layer, and weight decay that skips biases and batch norm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, final

import keras
from keras import ops

# Biases, and the scales and offsets of batch normalisation.
NOT_DECAYED = (r"(^|/)(bias|gamma|beta)$",)


class _Layerwise(keras.optimizers.Optimizer):
    """Mixin before a Keras optimizer: factors on the learning rate, and decay, per variable.

    Both act where a variable is updated, so that they see what Keras does before: loss scaling,
    accumulation and clipping.
    """

    def __init__(
        self,
        learning_rate: Any,
        *,
        multipliers: Mapping[str, float] | None,
        weight_decay: float | None,
        not_decayed: Sequence[str],
        **kwargs: Any,
    ) -> None:
        multipliers = dict(multipliers or {})
        for pattern in (*multipliers, *not_decayed):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"multipliers and not_decayed must be regular expressions. "
                    f"Received: {pattern!r}: {error}."
                ) from error
        for what, value in ((f"multipliers[{k!r}]", v) for k, v in multipliers.items()):
            if not value >= 0:
                raise ValueError(f"{what} must be at least 0. Received: {what}={value!r}.")
        if weight_decay is not None and not weight_decay >= 0:
            raise ValueError(
                f"weight_decay must be at least 0. Received: weight_decay={weight_decay!r}."
            )
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.multipliers = multipliers
        self.not_decayed = tuple(not_decayed)

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        paths = [variable.path for variable in variables]
        for pattern in self.multipliers:
            if not any(re.search(pattern, path) for path in paths):
                raise ValueError(
                    f"Every pattern of multipliers must occur in the path of a trainable "
                    f"variable. Received: {pattern!r}, which occurs in none of {paths[0]!r} ... "
                    f"{paths[-1]!r}. List them with [v.path for v in model.trainable_variables]."
                )
        self._multipliers = tuple(
            next((m for pattern, m in self.multipliers.items() if re.search(pattern, path)), 1.0)
            for path in paths
        )
        self._decays = tuple(
            (self.weight_decay or 0.0)
            if self._use_weight_decay(variable)
            and not any(re.search(pattern, path) for pattern in self.not_decayed)
            else 0.0
            for variable, path in zip(variables, paths, strict=True)
        )

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Nothing: `update_step` does it, with the learning rate of the variable."""

    def _own_rates(self, variable: Any, learning_rate: Any) -> tuple[Any, float]:
        """Returns the learning rate and the weight decay of one variable."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._multipliers[index]
        return rate, self._decays[index]

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        super().finalize_variable_values(var_list)
        if self.use_ema and keras.backend.backend() == "jax":
            # Keras leaves variable and average in one buffer, which the next fit donates twice.
            for average in self._model_variables_moving_average:
                average.assign(ops.copy(average))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "multipliers": dict(self.multipliers),
            "not_decayed": list(self.not_decayed),
        }


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class LayerwiseSGD(_Layerwise, keras.optimizers.SGD):
    """SGD with a learning rate per layer and the papers' weight decay.

    The decay is part of the gradient, g + weight_decay * w, so momentum carries it on, as in Caffe
    and PyTorch; in a loss it would read 0.5 * weight_decay * |w| ** 2, which is Keras'
    `regularizers.L2(0.5 * weight_decay)`. The ``weight_decay`` of `keras.optimizers.SGD` is another
    one: it bypasses momentum, and at momentum 0.9 is ten times weaker. Gradients are clipped before
    the decay is added.

    Args:
        learning_rate: Number, schedule or callable.
        momentum: As in `keras.optimizers.SGD`.
        nesterov: As in `keras.optimizers.SGD`.
        multipliers: Factors on the learning rate by regular expression, searched for in the
            variable's path, such as "classifier/kernel"; the first that is found holds. 0 freezes.
        weight_decay: As the papers state it, without a factor 1/2.
        not_decayed: Regular expressions of paths without decay; biases and batch normalisation by
            default.
        **kwargs: Arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: If a pattern is no regular expression or, at the first step, occurs in no
            variable's path; or a number is out of its range.

    Example:

    >>> optimizer = LayerwiseSGD(
    ...     PolyDecay(1e-3, max_steps=20_000),
    ...     momentum=0.9,
    ...     weight_decay=5e-4,
    ...     multipliers={"classifier.*bias": 20, "classifier": 10, "bias$": 2},
    ... )

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1; the multipliers are those of its released
        networks.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        multipliers: Mapping[str, float] | None = None,
        weight_decay: float | None = None,
        not_decayed: Sequence[str] = NOT_DECAYED,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            multipliers=multipliers,
            weight_decay=weight_decay,
            not_decayed=not_decayed,
            **kwargs,
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, decay = self._own_rates(variable, learning_rate)
        if decay:
            gradient = ops.cast(gradient, variable.dtype) + ops.multiply(variable, decay)
        super().update_step(gradient, variable, rate)


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class LayerwiseAdam(_Layerwise, keras.optimizers.Adam):
    """Adam with a learning rate per layer; with weight decay it is AdamW.

    The multipliers scale the update (scaled gradients would leave Adam's steps as they are). The
    decay is decoupled: w loses learning_rate * multiplier * weight_decay * w before Adam's step,
    as in `keras.optimizers.AdamW`.

    Args:
        learning_rate: Number, schedule or callable.
        multipliers: As in `LayerwiseSGD`.
        weight_decay: Share of a weight that is lost per step, times the learning rate.
        not_decayed: As in `LayerwiseSGD`.
        **kwargs: Arguments of `keras.optimizers.Adam`.

    Raises:
        ValueError: As `LayerwiseSGD`.

    Example:

    >>> optimizer = LayerwiseAdam(1e-4, multipliers={"classifier": 10}, weight_decay=0.01)

    Reference:
        Loshchilov and Hutter, arXiv:1711.05101.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        multipliers: Mapping[str, float] | None = None,
        weight_decay: float | None = None,
        not_decayed: Sequence[str] = NOT_DECAYED,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            multipliers=multipliers,
            weight_decay=weight_decay,
            not_decayed=not_decayed,
            **kwargs,
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, decay = self._own_rates(variable, learning_rate)
        if decay:
            self.assign_sub(variable, ops.multiply(variable, rate * decay))
        super().update_step(gradient, variable, rate)
