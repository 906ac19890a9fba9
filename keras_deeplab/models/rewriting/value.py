"""A tensor of an atrous network, and its relation to the tensor of the original network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import keras
import numpy as np

from keras_deeplab.models.rewriting.axis import SIZES, Axis, Sides


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the atrous network.

    Attributes:
        tensor: The tensor, symbolic or computed. None if only networks for one size of images
            have it.
        axes: Positions along height and width. None if the tensor has no positions.
        exact: For each of `SIZES`, whether the values without positions that it was made from are
            those of the original network.
        original: What the original network computed, in a check.
        padding: What a layer of zero padding was applied to, and its ((top, bottom), (left,
            right)) in pixels of the original map.
        sources: The maps that a tensor without positions was pooled from.
        size_layer: If ``tensor`` is None, the layer that needs images of one size.
        is_image: Whether this is the image, padded or not.
    """

    tensor: Any
    axes: tuple[Axis, Axis] | None
    exact: np.ndarray
    original: Any = None
    padding: tuple[Value, Sides] | None = None
    sources: tuple[Value, ...] = ()
    size_layer: Any = None
    is_image: bool = False

    @classmethod
    def of_image(cls, tensor: Any, original: Any = None) -> Value:
        """Returns the value of an image."""
        axis = Axis.of_image()
        return cls(tensor, (axis, axis), axis.exact, original, is_image=True)

    @property
    def is_exact(self) -> np.ndarray:
        """For each of `SIZES`, whether the original values are found in the tensor."""
        return reduce(np.logical_and, [axis.exact for axis in self.axes or ()], self.exact)

    @property
    def stride(self) -> int:
        """Input pixels per pixel, the larger one of height and width."""
        return max(axis.stride for axis in self.axes or ())

    @property
    def multiple(self) -> int:
        """What the sides of images must be a multiple of, so that joined maps have one size."""
        runs = reduce(np.logical_and, [axis.runs for axis in self.axes or ()])
        found = (n for n in (1, 2, 4, 8, 16, 32) if runs[SIZES % n == 0].all())
        return next(found, 1)

    def sampled(self) -> Any:
        """Returns the pixels of a computed map that are those of the original map."""
        return self.tensor if self.axes is None else self.tensor[:, *self.positions()]

    def difference(self) -> float:
        """Returns the largest difference to the original, as a part of its largest value."""
        original = keras.ops.convert_to_numpy(keras.ops.cast(self.original, "float32"))
        tensor = keras.ops.convert_to_numpy(keras.ops.cast(self.sampled(), "float32"))
        if original.shape != tensor.shape:
            return np.inf
        largest = np.abs(original[np.isfinite(original)]).max(initial=0.0)
        # Padding by the lowest number: the difference of two infinities is not a number.
        differs = tensor != original
        difference = np.abs(tensor[differs] - original[differs]).max(initial=0.0)
        return float(difference / largest) if largest else float(difference)

    def with_original(self) -> Value:
        """Returns the value with what the original network computed, where it has these pixels."""
        if self.axes is None:
            return replace(self, tensor=self.original)
        tensor = keras.ops.convert_to_numpy(self.tensor).copy()
        tensor[:, *self.positions()] = keras.ops.convert_to_numpy(self.original)
        return replace(self, tensor=keras.ops.convert_to_tensor(tensor))

    def positions(self) -> tuple[slice, slice]:
        """Returns where the pixels of the original map are in a computed map."""
        rows, columns = (
            slice(axis.offset, axis.offset + axis.rate * (length - 1) + 1, axis.rate)
            for axis, length in zip(self.axes or (), self.original.shape[1:3], strict=True)
        )
        return rows, columns


def distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    """Returns values without repetitions."""
    return tuple({id(value): value for value in values}.values())


def joined_axes(maps: Sequence[Value]) -> tuple[Axis, Axis]:
    """Returns the axes of a map that is made of several maps at the same positions."""
    rows, columns = (_joined([value.axes[side] for value in maps if value.axes]) for side in (0, 1))
    return rows, columns


def _joined(axes: Sequence[Axis]) -> Axis:
    first = axes[0]
    exact, runs = first.exact, first.runs
    for axis in axes[1:]:
        runs = runs & axis.runs & (axis.atrous == first.atrous)
        exact = exact & axis.exact & (axis.original == first.original) & runs
    return replace(first, exact=exact, runs=runs)
