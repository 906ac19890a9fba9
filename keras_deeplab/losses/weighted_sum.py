"""A weighted sum of losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import keras


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class WeightedSum(keras.losses.Loss):
    """The weighted sum of several losses on the same labels and logits.

    Args:
        losses: Keras losses.
        weights: One weight per loss. Default: 1 for each.
        name: Name of the loss.

    Call arguments:
        The same as those of the losses.

    Returns:
        float32 scalar.

    Raises:
        TypeError: If ``losses`` is not a list.
        ValueError: If there is no loss, or the number of weights differs.

    Example:

    >>> loss = WeightedSum([CrossEntropy(), Dice(smooth=0)], weights=[0, 2])
    >>> float(loss(np.array([[[0, 1]]]), np.zeros((1, 1, 2, 2))))
    1.0
    """

    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        *,
        weights: Sequence[float] | None = None,
        name: str = "weighted_sum",
    ) -> None:
        if isinstance(losses, keras.losses.Loss):
            raise TypeError(f"losses must be a list. Received: losses={losses!r}. Write [...].")
        super().__init__(name=name, dtype="float32")
        self.losses = list(losses)
        self.weights = [1.0] * len(self.losses) if weights is None else list(weights)
        if not self.losses or len(self.losses) != len(self.weights):
            raise ValueError(
                f"WeightedSum must have at least one loss, and one weight per loss. Received: "
                f"{len(self.losses)} losses and {len(self.weights)} weights."
            )

    # Each loss applies its own reduction.
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        terms = zip(self.losses, self.weights, strict=True)
        return sum(weight * loss(y_true, y_pred, sample_weight) for loss, weight in terms)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "losses": [keras.losses.serialize(loss) for loss in self.losses],
            "weights": self.weights,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedSum:
        losses = [keras.losses.deserialize(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})
