"""Training recipes: those of the papers, and one for small datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

from keras_deeplab.presets.networks import HEAD_LAYERS

# Caffe's lr_mult in DeepLab v1 and v2: 2 for biases, 10 and 20 for the classifier and its bias.
_CAFFE_MULTIPLIERS = (
    (r"classifier.*/bias", 20.0),
    (r"classifier", 10.0),
    (r"/bias", 2.0),
)
_BODY = rf"^(?!{HEAD_LAYERS})"


@dataclass(frozen=True, kw_only=True)
class RecipeRow:
    """How a network is trained.

    Attributes:
        name: Identifier, as in `keras-deeplab train --recipe`.
        title: Purpose of the recipe.
        optimizer: "sgd" (with momentum) or "adamw".
        learning_rate: Initial learning rate.
        schedule: "poly": times (1 - step / steps) ** power; "step": times `step_factor` after
            every `step_length` steps.
        power: Exponent of "poly".
        step_length: Number of steps between the reductions of "step".
        step_factor: Factor of each reduction of "step".
        warmup_steps: Steps of linear warm-up; at most a tenth of all steps.
        steps: Total number of optimizer steps; 0: given by `epochs`.
        epochs: Passes over the data, if `steps` is 0.
        momentum: Momentum of "sgd".
        weight_decay: Weight decay of all kernels, without biases and batch norm. For "sgd" as in
            the papers: weight_decay * w is added to the gradient of w. For "adamw" decoupled.
        multipliers: Pairs of a regular expression and a factor: the learning rate of a weight is
            multiplied by the factor of the first expression found in its "layer/variable".
        batch_size: Images per step.
        crop_size: (height, width) of training crops, pixels.
        scales: Smallest and largest factor of random scaling; None: no scaling.
        scale_step: Spacing of the possible factors; 0 draws any factor in the range.
        flip: Whether to flip horizontally at random.
        photometric: Whether to change colours at random.
        targets: "image": scores are upsampled to the labels; "scores": labels are sub-sampled to
            the scores.
        ema: Momentum of the moving average of the weights, which is validated and saved. It spans
            about 1 / (1 - ema) steps, at most a tenth of all steps; 0: no averaging.
        source: Source of the values.
    """

    name: str
    title: str
    optimizer: str = "sgd"
    learning_rate: float
    schedule: str = "poly"
    power: float = 0.9
    step_length: int = 2000
    step_factor: float = 0.1
    warmup_steps: int = 0
    steps: int = 0
    epochs: int = 0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    multipliers: tuple[tuple[str, float], ...] = ()
    batch_size: int
    crop_size: tuple[int, int]
    scales: tuple[float, float] | None = None
    scale_step: float = 0.25
    flip: bool = True
    photometric: bool = False
    targets: str = "image"
    ema: float = 0.0
    source: str


class RecipeChanges(TypedDict, total=False):
    """Fields of a recipe that a run may change, for type checkers; see `RecipeRow`."""

    optimizer: str
    learning_rate: float
    schedule: str
    power: float
    step_length: int
    step_factor: float
    warmup_steps: int
    steps: int
    epochs: int
    momentum: float
    weight_decay: float
    multipliers: tuple[tuple[str, float], ...]
    batch_size: int
    crop_size: tuple[int, int]
    scales: tuple[float, float] | None
    scale_step: float
    flip: bool
    photometric: bool
    targets: str
    ema: float


_V2 = RecipeRow(
    name="v2_vgg16",
    title="DeepLab v2 on VGG-16",
    learning_rate=1e-3,
    steps=20000,
    multipliers=_CAFFE_MULTIPLIERS,
    batch_size=10,
    crop_size=(321, 321),
    targets="scores",
    source="arXiv:1606.00915, table 2, policy 'poly'",
)
_V3 = RecipeRow(
    name="v3",
    title="DeepLab v3 at output stride 16",
    learning_rate=0.007,
    steps=30000,
    weight_decay=1e-4,
    batch_size=16,
    crop_size=(513, 513),
    scales=(0.5, 2.0),
    source="arXiv:1706.05587, section 4.1; weight decay of tensorflow/models",
)
_ROWS = (
    RecipeRow(
        name="fine_tune",
        title="fine-tuning a pretrained network on your own photos",
        optimizer="adamw",
        learning_rate=1e-3,
        warmup_steps=50,
        epochs=40,
        weight_decay=1e-4,
        multipliers=((_BODY, 0.3),),
        batch_size=8,
        crop_size=(321, 321),
        scales=(0.5, 2.0),
        scale_step=0.0,
        photometric=True,
        ema=0.99,
        source="docs/training.md",
    ),
    replace(
        _V2,
        name="v1",
        title="DeepLab v1 and v2's first schedule, VGG-16",
        schedule="step",
        steps=6000,
        batch_size=20,
        source="arXiv:1606.00915, section 4.1, policy 'step'",
    ),
    _V2,
    replace(
        _V2,
        name="v2_resnet101",
        title="DeepLab v2 on ResNet-101, with multi_scale_inputs=(0.5, 0.75, 1.0) and frozen "
        "batch norm",
        learning_rate=2.5e-4,
        scales=(0.5, 1.5),
        source="arXiv:1606.00915, section 4.1.2; solver of the authors' release",
    ),
    _V3,
    replace(
        _V3,
        name="v3_plus",
        title="DeepLab v3+ at output stride 16",
        weight_decay=4e-5,
        source="arXiv:1802.02611, section 4; weight decay of tensorflow/models",
    ),
)

RECIPES: dict[str, RecipeRow] = {row.name: row for row in _ROWS}
