"""Hard swish with a gradient that needs only the input."""

from __future__ import annotations

from typing import Any, final

import keras


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class HardSwish(keras.layers.Layer):
    """The activation x * relu6(x + 3) / 6.

    Equal to `keras.activations.hard_silu`, but on TensorFlow the backward pass needs the input
    alone.

    Input shape:
        Any.

    Output shape:
        The same.

    Example:

    >>> HardSwish()(np.array([-4.0, 0.0, 3.0])).numpy().tolist()
    [-0.0, 0.0, 3.0]

    Reference:
        Howard et al., arXiv:1905.02244, section 5.2.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        # TFLite files lose their signature to a custom gradient, and inference needs none.
        if not training or keras.backend.backend() != "tensorflow":
            return keras.activations.hard_silu(inputs)
        from keras_deeplab.ops.native import hard_swish

        return hard_swish(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
