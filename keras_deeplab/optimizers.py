"""Optimizers with learning rates per layer and selective weight decay; the "poly" schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, final

import keras
from keras import ops

from keras_deeplab._validation import check_int

# Biases, and the scales and offsets of batch normalisation.
NOT_DECAYED = (r"(^|/)(bias|gamma|beta)$",)


class _Layerwise(keras.optimizers.Optimizer):
    """Mixin for Keras optimizers: learning rate factors and weight decay per variable.

    Both are applied in the update of a variable, after loss scaling, accumulation and clipping by
    Keras.
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
        if multipliers is not None and not isinstance(multipliers, Mapping):
            raise TypeError(
                f"multipliers must be a dict from pattern to factor. "
                f"Received: multipliers={multipliers!r}."
            )
        if isinstance(not_decayed, str):
            raise TypeError(
                f"not_decayed must be a list of patterns. Received: {not_decayed!r}. "
                f"Write [{not_decayed!r}]."
            )
        if isinstance(learning_rate, int):
            learning_rate = float(learning_rate)
        multipliers = dict(multipliers or {})
        for pattern in (*multipliers, *not_decayed):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"multipliers and not_decayed must be regular expressions. "
                    f"Received: {pattern!r}: {error}."
                ) from error
        numbers = {f"multipliers[{pattern!r}]": factor for pattern, factor in multipliers.items()}
        for what, value in {**numbers, "weight_decay": weight_decay or 0}.items():
            if not value >= 0:
                raise ValueError(f"{what} must be at least 0. Received: {what}={value!r}.")
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
        """Does nothing: `update_step` applies the decay, with the learning rate of the variable."""

    def _own_rates(self, variable: Any, learning_rate: Any) -> tuple[Any, float]:
        """Returns the learning rate and the weight decay of one variable."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._multipliers[index]
        return rate, self._decays[index]

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        super().finalize_variable_values(var_list)
        if self.use_ema and keras.backend.backend() == "jax":
            # Keras leaves variable and average in one buffer; the next fit would donate it twice.
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

    The decay is added to the clipped gradient, g + weight_decay * w, and enters the momentum, as in
    Caffe and PyTorch. It equals a loss term 0.5 * weight_decay * |w| ** 2, or Keras's
    `regularizers.L2(0.5 * weight_decay)`. The ``weight_decay`` of `keras.optimizers.SGD` bypasses
    the momentum and, with momentum 0.9, is ten times weaker.

    Args:
        learning_rate: Number, schedule or callable.
        momentum: Momentum, 0 to 1; 0 is plain gradient descent.
        nesterov: Whether to use Nesterov momentum.
        multipliers: Learning rate factors by regular expression, searched in the variable's path,
            such as "classifier/kernel"; the first match applies. 0 freezes the variable.
        weight_decay: Weight decay as the papers state it, without a factor 1/2.
        not_decayed: Regular expressions of variables without decay. Default: biases, batch norm.
        **kwargs: Arguments of `keras.optimizers.SGD`.

    Raises:
        TypeError: If ``multipliers`` is not a mapping, or ``not_decayed`` is a string.
        ValueError: If a pattern is not a regular expression, matches no variable's path at the
            first step, or a number is out of range.

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

    The multipliers scale the update, because Adam's steps do not depend on the scale of the
    gradients. The decay is decoupled, as in `keras.optimizers.AdamW`: before Adam's step,
    learning_rate * multiplier * weight_decay * w is subtracted from w.

    Args:
        learning_rate: Number, schedule or callable.
        multipliers: Learning rate factors by regular expression, searched in the variable's path,
            such as "classifier/kernel"; the first match applies. 0 freezes the variable.
        weight_decay: Decoupled weight decay, which the learning rate multiplies.
        not_decayed: Regular expressions of variables without decay. Default: biases, batch norm.
        **kwargs: Arguments of `keras.optimizers.Adam`.

    Raises:
        TypeError: If ``multipliers`` is not a mapping, or ``not_decayed`` is a string.
        ValueError: If a pattern is not a regular expression, matches no variable's path at the
            first step, or a number is out of range.

    Example:

    >>> optimizer = LayerwiseAdam(1e-4, multipliers={"classifier": 10}, weight_decay=0.01)

    Reference:
        Loshchilov and Hutter, arXiv:1711.05101.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, decay = self._own_rates(variable, learning_rate)
        if decay:
            self.assign_sub(variable, ops.multiply(variable, rate * decay))
        super().update_step(gradient, variable, rate)


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class PolyDecay(keras.optimizers.schedules.LearningRateSchedule):
    """DeepLab's "poly" policy: learning_rate * (1 - step / max_steps) ** power.

    A step is one batch: with ``gradient_accumulation_steps``, Keras counts batches, not updates.
    The step policy of v1, a factor of 0.1 every 2000 steps, is `keras.optimizers.schedules.
    ExponentialDecay(learning_rate, 2000, 0.1, staircase=True)`.

    Args:
        learning_rate: Initial learning rate, without warm-up.
        max_steps: Step from which the learning rate is 0.
        power: Exponent.
        warmup_steps: Steps in which a factor rises linearly from 1 / (warmup_steps + 1) to 1.
        name: Name of the schedule.

    Raises:
        TypeError: If a number of steps is not an int.
        ValueError: If an argument is out of range.

    Example:

    >>> schedule = PolyDecay(0.007, max_steps=30_000)
    >>> [round(float(schedule(step)), 6) for step in (0, 15_000, 30_000)]
    [0.007, 0.003751, 0.0]

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.2.
    """

    def __init__(
        self,
        learning_rate: float,
        max_steps: int,
        *,
        power: float = 0.9,
        warmup_steps: int = 0,
        name: str = "poly_decay",
    ) -> None:
        check_int("max_steps", max_steps, minimum=1)
        check_int("warmup_steps", warmup_steps, minimum=0)
        if not learning_rate > 0 or not power > 0:
            raise ValueError(
                f"learning_rate and power must be positive. "
                f"Received: learning_rate={learning_rate!r}, power={power!r}."
            )
        if warmup_steps >= max_steps:
            raise ValueError(
                f"warmup_steps must be fewer than max_steps. "
                f"Received: warmup_steps={warmup_steps}, max_steps={max_steps}."
            )
        self.learning_rate = learning_rate
        self.max_steps = max_steps
        self.power = power
        self.warmup_steps = warmup_steps
        self.name = name

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        left = ops.maximum(1 - step / self.max_steps, 0.0)
        warmth = ops.minimum((step + 1) / (self.warmup_steps + 1), 1.0)
        return self.learning_rate * warmth * ops.power(left, self.power)

    def get_config(self) -> dict[str, Any]:
        names = ("learning_rate", "max_steps", "power", "warmup_steps", "name")
        return {name: getattr(self, name) for name in names}
