"""The dense CRF as a trainable layer."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, final

import keras

from keras_deeplab._validation import check_choice, check_int
from keras_deeplab.presets.crfs import CRFS, CRFParameters

_START = CRFS["crf_rnn"]


@final
@keras.saving.register_keras_serializable(package="keras_deeplab")
class CRFAsRNN(keras.layers.Layer):
    """Unrolled mean-field inference in the dense CRF, with trainable weights.

    The trainable weights are one weight per class for each of the two kernels, and the class
    compatibility matrix. Initially all classes have the same kernel weights and the compatibility
    is the Potts model, so the untrained layer is equivalent to `DenseCRF` with these arguments.

    It requires the TensorFlow backend and computes in float32 with every dtype policy.

    Args:
        bilateral_weight: Initial value of the weights of the bilateral kernel.
        theta_alpha: Spatial standard deviation of the bilateral kernel, pixels.
        theta_beta: Colour standard deviation of the bilateral kernel, RGB levels 0-255.
        spatial_weight: Initial value of the weights of the spatial kernel.
        theta_gamma: Standard deviation of the spatial kernel, pixels.
        num_iterations: Mean-field iterations; 0 returns the logits.
        kernel_weights: "per_class" trains one weight per class and kernel; "matrix" trains a
            (classes, classes) matrix per kernel, as in the paper.
        engine: "permutohedral" is exact up to the lattice; "convolutional" is restricted to a
            local window, but uses only standard operations, for export to TFLite and ONNX.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Two tensors: logits (batch, height, width, classes), and the image (batch, height, width,
        3), RGB 0-255.

    Output shape:
        (batch, height, width, classes): the logits of the last iteration. A NaN among the logits
        spreads to the rest of its image.

    Raises:
        TypeError: If ``num_iterations`` is not an integer.
        ValueError: If an argument is out of range, the inputs' sizes differ, there are fewer than
            two classes, or Keras uses a backend other than TensorFlow.

    Example:

    >>> logits, image = keras.ops.zeros((2, 32, 48, 21)), keras.ops.zeros((2, 32, 48, 3))
    >>> tuple(CRFAsRNN(num_iterations=2)([logits, image]).shape)
    (2, 32, 48, 21)

    Reference:
        Zheng et al., arXiv:1502.03240.
    """

    def __init__(
        self,
        *,
        bilateral_weight: float = _START.bilateral_weight,
        theta_alpha: float = _START.theta_alpha,
        theta_beta: float = _START.theta_beta,
        spatial_weight: float = _START.spatial_weight,
        theta_gamma: float = _START.theta_gamma,
        num_iterations: int = _START.num_iterations,
        kernel_weights: str = "per_class",
        engine: str = "permutohedral",
        **kwargs: Any,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"CRFAsRNN needs the TensorFlow backend. Received: {keras.backend.backend()!r}. "
                f"Set KERAS_BACKEND=tensorflow, or use DenseCRF on the model's outputs."
            )
        check_choice("kernel_weights", kernel_weights, ("per_class", "matrix"))
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bilateral_weight = bilateral_weight
        self.theta_alpha = theta_alpha
        self.theta_beta = theta_beta
        self.spatial_weight = spatial_weight
        self.theta_gamma = theta_gamma
        self.num_iterations = num_iterations
        self.kernel_weights = kernel_weights
        self.engine = engine
        # Checks them.
        CRFParameters(**self._parameters())

    def build(self, input_shape: Any) -> None:
        logits, image = input_shape
        sizes_differ = any(
            a is not None and b is not None and a != b
            for a, b in zip(logits[:3], image[:3], strict=True)
        )
        if len(logits) != 4 or len(image) != 4 or image[3] != 3 or sizes_differ:
            raise ValueError(
                f"CRFAsRNN takes logits (batch, height, width, classes) and an image (batch, "
                f"height, width, 3) of the same size. Received: shapes {logits} and {image}. "
                f"Resize the logits to the image first."
            )
        classes = logits[3]
        check_int("the number of classes", classes, minimum=2)

        def diagonal(value: float) -> Any:
            return lambda shape, dtype: value * keras.ops.eye(classes, dtype=dtype)

        def kernel(name: str, value: float) -> Any:
            if self.kernel_weights == "matrix":
                return self.add_weight((classes, classes), diagonal(value), name=name)
            return self.add_weight((classes,), keras.initializers.Constant(value), name=name)

        self.bilateral_weights = kernel("bilateral_weights", self.bilateral_weight)
        self.spatial_weights = kernel("spatial_weights", self.spatial_weight)
        # The Potts model up to a constant per pixel, which the softmax removes.
        self.compatibility = self.add_weight(
            (classes, classes), diagonal(-1.0), name="compatibility"
        )

    def call(self, inputs: Any) -> Any:
        from keras_deeplab.ops.mean_field import mean_field_logits

        logits, image = inputs
        trained = {
            "bilateral_weight": self.bilateral_weights,
            "spatial_weight": self.spatial_weights,
            "compatibility": self.compatibility,
        }
        return mean_field_logits(-logits, image, **self._parameters() | trained)

    def _parameters(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(CRFParameters)}

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        own = {**self._parameters(), "kernel_weights": self.kernel_weights}
        return {**super().get_config(), **own}
