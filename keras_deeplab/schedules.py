"""Learning rates over the steps of a training."""

from __future__ import annotations

from typing import Any, final

import keras
from keras import ops

from keras_deeplab._checks import check_int


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class PolyDecay(keras.optimizers.schedules.LearningRateSchedule):
    """DeepLab's "poly" policy: learning_rate * (1 - step / max_steps) ** power.

    A step is a batch: with ``gradient_accumulation_steps`` Keras counts batches here, not updates.
    The step policy of v1, a tenth every 2000 steps, is `keras.optimizers.schedules.
    ExponentialDecay(learning_rate, 2000, 0.1, staircase=True)`.

    Args:
        learning_rate: At step 0, before warm-up.
        max_steps: Step at which 0 is reached; it stays 0 from there on.
        power: Exponent.
        warmup_steps: Over so many steps a factor rises linearly from 1 / (warmup_steps + 1) to 1.
        name: Name of the schedule.

    Raises:
        TypeError: If a number of steps is no int.
        ValueError: If an argument is out of its range.

    Example:

    >>> schedule = PolyDecay(0.007, max_steps=30_000)
    >>> [round(float(schedule(step)), 6) for step in (0, 15_000, 30_000)]
    [0.007, 0.003751, 0.0]

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.1.
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
