"""The results of a dataset check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from keras_deeplab.data.annotations.annotated import Finding
from keras_deeplab.data.sources import SegmentationFiles

_LISTED = 5


@dataclass(frozen=True)
class SplitSummary:
    """Statistics of a split.

    Attributes:
        images: Number of images.
        sizes: Number of images by (height, width).
        pixels: Number of pixels by class, int64.
        images_with: Number of images that contain the class, by class.
        pixels_of_those: Number of labelled pixels in these images, by class.
        ignored: Number of pixels with the ignored label.
        read: Number of masks that were counted.
        richest: Index of the example with the most pixels of a class, by class; -1 if absent.
    """

    images: int
    sizes: dict[tuple[int, int], int]
    pixels: np.ndarray
    images_with: np.ndarray
    pixels_of_those: np.ndarray
    ignored: int
    read: int
    richest: np.ndarray

    def shares(self) -> np.ndarray:
        """Returns each class's share of the labelled pixels."""
        return self.pixels / max(1, int(self.pixels.sum()))


@dataclass(frozen=True)
class DataReport:
    """The results of a check.

    Attributes:
        findings: Problems, errors first.
        splits: Statistics by split name.
        sources: Data sources by split name.
    """

    findings: tuple[Finding, ...]
    splits: dict[str, SplitSummary]
    sources: dict[str, SegmentationFiles]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that would stop training or make its result useless."""
        return tuple(one for one in self.findings if one.level == "error")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; none if no split could be read."""
        return next((source.class_names for source in self.sources.values()), ())

    def class_weights(self, split: str | None = None) -> tuple[float, ...]:
        """Returns weights that balance the classes.

        A weight is the median of the class frequencies divided by the frequency of the class in
        the images that contain it ("median frequency balancing", arXiv:1411.4734, section 6.3.2).
        Absent classes have weight 1.

        Args:
            split: Name of the split. Default: the first.
        """
        summary = self.splits[split or next(iter(self.splits))]
        present = summary.pixels > 0
        if not present.any():
            return (1.0,) * len(present)
        frequency = summary.pixels / np.maximum(summary.pixels_of_those, 1)
        weights = np.ones(len(present))
        weights[present] = np.median(frequency[present]) / frequency[present]
        return tuple(round(float(weight), 4) for weight in weights)

    def __str__(self) -> str:
        return "\n".join([*self._split_lines(), *self._finding_lines(), *self._class_lines()])

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON-serialisable values."""
        return {
            "findings": [one._asdict() for one in self.findings],
            "class_names": list(self.class_names),
            "class_weights": list(self.class_weights()) if self.splits else [],
            "splits": {
                name: {
                    "images": summary.images,
                    "masks_read": summary.read,
                    "sizes": {f"{h}x{w}": n for (h, w), n in summary.sizes.items()},
                    "shares": [round(share, 6) for share in summary.shares().tolist()],
                    "images_with": summary.images_with.tolist(),
                    "ignored_pixels": summary.ignored,
                }
                for name, summary in self.splits.items()
            },
        }

    def _split_lines(self) -> Iterator[str]:
        for name, summary in self.splits.items():
            sizes = [f"{height}x{width}" for height, width in sorted(summary.sizes)]
            listed = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes" if sizes else ""
            ignored = summary.ignored / max(1, summary.ignored + int(summary.pixels.sum()))
            yield f"{name}: {summary.images} images, {listed}, {ignored:.1%} of the pixels ignored"
            if summary.read < summary.images:
                yield f"  {summary.read} masks read for this"

    def _finding_lines(self) -> Iterator[str]:
        kinds = dict.fromkeys((one.level, one.kind) for one in self.findings)
        for level, kind in kinds:
            group = [one for one in self.findings if (one.level, one.kind) == (level, kind)]
            yield f"{level}: {kind} ({len(group)})"
            for one in islice(group, _LISTED):
                yield f"  {one.message}"
            if len(group) > _LISTED:
                yield f"  and {len(group) - _LISTED} more"
        if not self.findings:
            yield "nothing wrong"

    def _class_lines(self) -> Iterator[str]:
        if not self.splits:
            return
        width = max(len(name) for name in (*self.class_names, "class"))
        columns = "".join(f"{name:>12}" for name in self.splits)
        yield f"{'id':>4} {'class':<{width}}{columns}{'images':>10}{'weight':>10}"
        summaries = list(self.splits.values())
        weights = self.class_weights()
        for label, name in enumerate(self.class_names):
            shares = "".join(f"{summary.shares()[label]:>12.2%}" for summary in summaries)
            images = sum(int(summary.images_with[label]) for summary in summaries)
            yield f"{label:>4} {name:<{width}}{shares}{images:>10}{weights[label]:>10.2f}"
