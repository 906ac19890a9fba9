"""Where the pixels of a network's maps are in the maps of its atrous version, along one axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

# The image sizes that positions are worked out for: one of them serves the check of consistency.
SIZES = np.arange(65, 226)


# ((top, bottom), (left, right)), in pixels.
Sides = tuple[tuple[int, int], tuple[int, int]]


class Window(NamedTuple):
    """A convolution or pool along one axis.

    Attributes:
        size: Pixels that it reads.
        rate: Its own atrous rate.
        stride: Its stride.
        same: Whether its padding is "same".
        before: Pixels that a padding layer adds ahead of it, and ``after`` at the end.
    """

    size: int
    rate: int
    stride: int
    same: bool
    before: int = 0
    after: int = 0

    @property
    def reach(self) -> int:
        """Distance of the first to the last pixel that it reads."""
        return self.rate * (self.size - 1)

    def paddings(self, lengths: np.ndarray) -> np.ndarray:
        """Returns how many pixels it pads ahead of maps of these lengths."""
        if not self.same:
            return np.full_like(lengths, self.before)
        total = (self.lengths(lengths) - 1) * self.stride + self.reach + 1 - lengths
        return np.maximum(total, 0) // 2

    def usual_padding(self, even_sizes: bool) -> int:
        """Returns how many pixels it pads ahead of maps whose lengths its stride divides.

        Without ``even_sizes``, "same" padding is that of maps whose lengths minus one it divides.
        """
        if not self.same:
            return self.before
        missing = self.stride - 1 if even_sizes else 0
        return max(self.reach - missing, 0) // 2

    def lengths(self, lengths: np.ndarray) -> np.ndarray:
        """Returns the lengths of its output for maps of these lengths."""
        if self.same:
            return -(-lengths // self.stride)
        return (lengths + self.before + self.after - self.reach - 1) // self.stride + 1


class AtrousWindow(NamedTuple):
    """A rewritten `Window`: its stride, its atrous rate, and the pixels to pad on both sides."""

    stride: int
    rate: int
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Axis:
    """Pixel i of the original map is pixel ``rate * i + offset`` of the atrous map.

    Attributes:
        stride: Input pixels per pixel of the atrous map.
        rate: Pixels of the atrous map per pixel of the original map.
        offset: Position of the original map's first pixel in the atrous map.
        original: Lengths of the original map for images of `SIZES`.
        atrous: Lengths of the atrous map for images of `SIZES`.
        exact: For each of `SIZES`, whether each pixel of the original map has its value in the
            atrous map, at the borders too.
        runs: For each of `SIZES`, whether the maps that the atrous network joins have one size.
    """

    stride: int
    rate: int
    offset: int
    original: np.ndarray
    atrous: np.ndarray
    exact: np.ndarray
    runs: np.ndarray

    @classmethod
    def of_image(cls) -> Axis:
        """Returns the axis of the image itself."""
        always = np.full(SIZES.shape, True)
        return cls(1, 1, 0, SIZES, SIZES, exact=always, runs=always)

    def checked(self) -> Axis:
        """Returns the axis, not exact where pixels of the original map are missing."""
        last = self.offset + self.rate * (self.original - 1)
        exact = self.exact & (self.original > 0) & (self.offset >= 0) & (last < self.atrous)
        return replace(self, exact=exact)

    def enclosed(self) -> np.ndarray:
        """Returns where the pixels beyond the original map are beyond the atrous map as well."""
        end = self.offset + self.rate * self.original
        return self.exact & (self.offset < self.rate) & (end >= self.atrous)

    def padded(self, before: int, after: int) -> Axis:
        """Returns the axis of a map with pixels added; negative numbers crop it."""
        added = before + after
        original, atrous = self.original + added, self.atrous + self.rate * added
        exact = self.exact if added < 0 else self.enclosed()
        return replace(self, original=original, atrous=atrous, exact=exact).checked()

    def shifted(self, pixels: int) -> Axis:
        """Returns the axis of the atrous map moved towards its end, at the same length."""
        return replace(self, offset=self.offset + pixels).checked()

    def upsampled(self, factor: int) -> Axis:
        """Returns the axis of a map that is upsampled by a factor."""
        return replace(
            self,
            stride=self.stride // factor,
            original=self.original * factor,
            atrous=self.atrous * factor,
        )

    def strided(
        self, window: Window, output_stride: int, *, even_sizes: bool = False
    ) -> tuple[Axis, AtrousWindow]:
        """Returns the axis of a window's output and the rewritten window.

        The window reads with the rate that its input has. If its stride is removed, the rate of
        what follows is multiplied by it.
        With ``even_sizes``, "same" padding is that of lengths that the stride divides, otherwise
        that of lengths one longer, where it pads both sides alike.
        """
        kept = window.stride
        if self.rate > 1 or self.stride * window.stride > output_stride:
            kept = 1
        removed = window.stride // kept
        reach = self.rate * window.reach
        before, after = self.rate * window.before, self.rate * window.after
        if window.same or (removed > 1 and window.before + window.after <= window.reach):
            # Centred, so that the map keeps its length and its place in the image.
            before, after = reach // 2, reach - reach // 2
        usual = window.usual_padding(even_sizes)
        unchanged = kept == window.stride and self.rate == 1
        exact = self.exact
        if not unchanged:
            exact = exact & (window.paddings(self.original) == usual)
            exact = exact & (self.enclosed() if window.reach else True)
        axis = Axis(
            stride=self.stride * kept,
            rate=self.rate * removed,
            offset=self.offset if unchanged else self.offset + before - self.rate * usual,
            original=window.lengths(self.original),
            atrous=window.lengths(self.atrous)
            if unchanged
            else self.atrous + before + after - reach,
            exact=exact,
            runs=self.runs,
        )
        rate = self.rate * window.rate if window.size > 1 else window.rate
        return axis.checked(), AtrousWindow(kept, rate, before, after)
