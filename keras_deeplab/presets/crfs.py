"""Parameters of the fully connected CRF, as released with the networks they were tuned for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CRFRow:
    """One set of parameters.

    Attributes:
        name: Identifier, as in `DenseCRF(...)`.
        bilateral_weight: Weight w1 of the bilateral kernel.
        theta_alpha: Its width in position, pixels.
        theta_beta: Its width in colour, RGB levels 0-255.
        spatial_weight: Weight w2 of the spatial kernel.
        theta_gamma: Its width in position, pixels.
        num_iterations: Mean-field iterations.
        source: Where the numbers come from.
    """

    name: str
    bilateral_weight: float
    theta_alpha: float
    theta_beta: float
    spatial_weight: float
    theta_gamma: float
    num_iterations: int
    source: str


DEFAULT_CRF = "v1"
_RELEASED = "released DeepLab scripts, as read in ports"

CRFS: dict[str, CRFRow] = {
    row.name: row
    for row in (
        CRFRow("v1", 5, 50, 3, 3, 3, 10, f"v1 script default; {_RELEASED}"),
        CRFRow("v1_deeplab", 5, 50, 10, 3, 3, 10, f"v1 DeepLab; {_RELEASED}"),
        CRFRow("v1_msc", 3, 95, 3, 3, 3, 10, f"v1 multi-scale; {_RELEASED}"),
        CRFRow("v1_coco", 5, 67, 3, 3, 3, 10, f"v1 with COCO; {_RELEASED}"),
        CRFRow("v1_large_fov", 4, 49, 5, 3, 3, 10, f"LargeFOV run_densecrf.sh; {_RELEASED}"),
        CRFRow("v2_vgg16", 4, 65, 3, 2, 2, 10, f"v2 VGG-16; {_RELEASED}"),
        CRFRow("v2_resnet101", 4, 67, 3, 3, 1, 10, f"v2 ResNet-101; {_RELEASED}"),
        CRFRow("pydensecrf", 10, 80, 13, 3, 3, 5, "example of the pydensecrf README"),
        CRFRow("crf_rnn", 5, 160, 3, 3, 3, 10, "start values of torrvision/crfasrnn's README"),
    )
}
