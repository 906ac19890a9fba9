"""Arguments of `keras_deeplab.DeepLab` that say what a network takes and returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_deeplab._validation import check_int
from keras_deeplab.presets.datasets import numbered_classes


def input_scales(asked: Sequence[float] | None, trained: tuple[float, ...]) -> tuple[float, ...]:
    """Returns the scales of the image: those asked for, or those of the weights."""
    scales = trained if asked is None else tuple(asked)
    if any(not 0 < scale <= 4 for scale in scales) or len(set(scales)) < len(scales):
        raise ValueError(
            f"multi_scale_inputs must be distinct scales above 0, at most 4. "
            f"Received: multi_scale_inputs={asked!r}."
        )
    return () if scales == (1.0,) else scales


def resolve_class_names(
    classes: int | Sequence[str] | None, trained: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns the names of the classes: those asked for, or those of the weights."""
    if classes is None:
        return trained
    if isinstance(classes, str) or not isinstance(classes, (int, Sequence)):
        raise TypeError(
            f"classes must be a number or a sequence of names. Received: classes={classes!r}."
        )
    if isinstance(classes, int):
        check_int("classes", classes, minimum=2)
        return trained if classes == len(trained) else numbered_classes(classes)
    names = tuple(str(name) for name in classes)
    check_int("the number of classes", len(names), minimum=2)
    if len(set(names)) < len(names):
        raise ValueError(f"classes must have distinct names. Received: classes={names!r}.")
    return names


def check_input_shape(input_shape: Any) -> None:
    """Raises `ValueError` unless ``input_shape`` is (height, width, channels)."""
    valid = (
        isinstance(input_shape, (tuple, list))
        and len(input_shape) == 3
        and all(isinstance(n, int) and n > 0 for n in input_shape if n is not None)
        and input_shape[2] is not None
    )
    if not valid:
        raise ValueError(
            f"input_shape must be (height, width, channels), with None for a dynamic side. "
            f"Received: input_shape={input_shape!r}."
        )
