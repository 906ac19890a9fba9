"""The options of inference, with their defaults and checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from keras_deeplab._validation import check_choice, check_int
from keras_deeplab.inference.dense_crf import DenseCRF, resolve_crf

Size = tuple[int, int]


class InferenceSettings(TypedDict, total=False):
    """Fields of `InferenceOptions` as keyword arguments; the dataclass describes them."""

    size: int | Size | str | None
    scales: Sequence[float]
    flip: bool
    sliding_window: bool
    crf: DenseCRF | str | bool
    batch_size: int | None
    workers: int | None


@dataclass(frozen=True)
class InferenceOptions:
    """Settings of inference: size, scales, flip, sliding window, CRF and batch size.

    Attributes:
        size: Side of a square in pixels, or (height, width). Photos are resized to fit it and
            padded; with `sliding_window`, it is the size of the window. "own" uses each photo's
            own size. None: the size stored in the model or file, else that of the dataset of its
            classes. A network with a fixed input size always uses that size.
        scales: Factors of the size. The network runs at each scale, and the probabilities are
            averaged. The papers use (0.5, 0.75, 1, 1.25, 1.5, 1.75) with `flip`.
        flip: Whether to also run on the horizontally flipped photo and average the results.
        sliding_window: Whether to run on windows of `size` at the photo's own resolution. Windows
            overlap by a third or more. For photos much larger than the training images.
        crf: Dense CRF that refines the scores at the size at which they were computed: True, the
            name of a preset ("v2_resnet101", ...), or a `DenseCRF`.
        batch_size: Photos per forward pass. None: 16 on a GPU or TPU; 1 on a CPU, where larger
            batches are slower. With `sliding_window`, or at the photo's own size, photos are
            processed one at a time; the windows of one photo form a batch.
        workers: Threads that read and resize photos, and as many that write results. None: one per
            core, at most 8.

    Raises:
        TypeError: If a size or the batch size is not an int.
        ValueError: If an option is out of range, or `sliding_window` is used with size "own".

    Example:

    >>> InferenceOptions(size=513, scales=(0.75, 1, 1.25), flip=True).averages
    True

    Reference:
        Chen et al., arXiv:1706.05587, section 4.1.
    """

    size: int | Size | str | None = None
    scales: Sequence[float] = (1.0,)
    flip: bool = False
    sliding_window: bool = False
    crf: DenseCRF | str | bool = False
    batch_size: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Checks the options."""
        sides: Any = self.size if isinstance(self.size, tuple) else (self.size,) * 2
        if len(sides) != 2 or (isinstance(self.size, str) and self.size != "own"):
            raise ValueError(
                f"size must be pixels, (height, width), or 'own'. Received: size={self.size!r}."
            )
        for side in () if self.size in (None, "own") else sides:
            check_int("size", side, minimum=1)
        scales = tuple(float(scale) for scale in self.scales)
        if not scales or any(not 0.1 <= scale <= 8 for scale in scales):
            raise ValueError(
                f"scales must be one or more factors from 0.1 to 8. Received: scales={scales!r}."
            )
        object.__setattr__(self, "scales", scales)
        if self.sliding_window and self.size == "own":
            raise ValueError(
                "A sliding window must have a size. Received: sliding_window=True with the "
                "photo's own size. Give size=513, for example."
            )
        resolve_crf(self.crf)
        for name in ("batch_size", "workers"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), minimum=1)

    @property
    def averages(self) -> bool:
        """Whether scores are averaged over several runs: scales, flip or windows."""
        return self.scales != (1.0,) or self.flip or self.sliding_window

    def resolve_size(self, default: Size) -> Size | None:
        """Returns (height, width) in pixels, `default` if unset, or None for the photo's size."""
        if isinstance(self.size, int):
            return self.size, self.size
        if isinstance(self.size, tuple):
            return self.size
        return default if self.size is None else None


def resolve_options(
    options: InferenceOptions | None, settings: InferenceSettings
) -> InferenceOptions:
    """Returns `options`, or the defaults, with the fields in `settings` replaced.

    Raises:
        ValueError: If a setting is unknown or out of range.
    """
    names = tuple(field.name for field in fields(InferenceOptions))
    for name in settings:
        check_choice("An option of inference", name, names)
    return replace(options or InferenceOptions(), **settings)
