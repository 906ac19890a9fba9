"""Parameters of the dense CRF, as released with the networks they were tuned for."""

from __future__ import annotations

from dataclasses import dataclass

from keras_deeplab._validation import check_choice, check_int

ENGINES = ("permutohedral", "convolutional")


@dataclass(frozen=True)
class CRFParameters:
    """A set of CRF parameters.

    Attributes:
        bilateral_weight: Weight w1 of the bilateral kernel.
        theta_alpha: Spatial standard deviation of the bilateral kernel, pixels.
        theta_beta: Colour standard deviation of the bilateral kernel, RGB levels 0-255.
        spatial_weight: Weight w2 of the spatial kernel.
        theta_gamma: Standard deviation of the spatial kernel, pixels.
        num_iterations: Mean-field iterations.
        engine: "permutohedral" is exact up to the lattice; "convolutional" is restricted to a
            local window.

    Raises:
        TypeError: If ``num_iterations`` is not an integer.
        ValueError: If a parameter is out of range.
    """

    bilateral_weight: float = 5
    theta_alpha: float = 50
    theta_beta: float = 3
    spatial_weight: float = 3
    theta_gamma: float = 3
    num_iterations: int = 10
    engine: str = "permutohedral"

    def __post_init__(self) -> None:
        """Checks the parameters."""
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"{name} must be positive. Received: {name}={getattr(self, name)!r}. "
                    f"To switch a kernel off, set its weight to 0."
                )
        for name in ("bilateral_weight", "spatial_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} must not be negative. Received: {name}={getattr(self, name)!r}."
                )
        check_int("num_iterations", self.num_iterations, minimum=0)
        check_choice("engine", self.engine, ENGINES)


# w1, theta_alpha, theta_beta, w2, theta_gamma, iterations. Those of v1 and v2 are from the released
# DeepLab scripts, as found in ports; the defaults above are "v1", the default of v1's script.
DEFAULT_CRF = "v1"
CRFS = {
    "v1": CRFParameters(),
    "v1_deeplab": CRFParameters(5, 50, 10, 3, 3, 10),
    "v1_msc": CRFParameters(3, 95, 3, 3, 3, 10),
    "v1_coco": CRFParameters(5, 67, 3, 3, 3, 10),
    "v1_large_fov": CRFParameters(4, 49, 5, 3, 3, 10),
    "v2_vgg16": CRFParameters(4, 65, 3, 2, 2, 10),
    "v2_resnet101": CRFParameters(4, 67, 3, 3, 1, 10),
    # The example of pydensecrf's README.
    "pydensecrf": CRFParameters(10, 80, 13, 3, 3, 5),
    # The initial values in the README of torrvision/crfasrnn.
    "crf_rnn": CRFParameters(5, 160, 3, 3, 3, 10),
}
