"""The label doctor: finds what is wrong with images and masks before a network learns it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_deeplab.data.duplicates import find_duplicates
from keras_deeplab.data.inspection import Finding, Inspection, inspect
from keras_deeplab.data.readers import dataset_splits, read_dataset, recognise
from keras_deeplab.data.readers.folder import unpaired
from keras_deeplab.data.sources import SegmentationFiles

# A fast check decodes this many at most; of more images the headers and the ends of the files.
_FAST_IMAGES = 500
_FAST_MASKS = 5000
_LISTED = 5


@dataclass(frozen=True)
class SplitSummary:
    """What a split holds.

    Attributes:
        images: Number of images.
        sizes: Number of images by (height, width).
        pixels: Number of pixels by class, int64.
        images_with: Number of images by class that hold it.
        pixels_of_those: Number of labelled pixels of these images, by class.
        ignored: Number of pixels with the ignored label.
        read: Number of masks that these are counted over.
        richest: Index of the example with most pixels of a class, by class; -1 without.
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
    """What a check found.

    Attributes:
        findings: What is wrong, errors first.
        splits: What each split holds.
        sources: The splits.
    """

    findings: tuple[Finding, ...]
    splits: dict[str, SplitSummary]
    sources: dict[str, SegmentationFiles]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that would stop training or spoil it."""
        return tuple(one for one in self.findings if one.level == "error")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; none if no split could be read."""
        return next((source.class_names for source in self.sources.values()), ())

    def class_weights(self, split: str | None = None) -> tuple[float, ...]:
        """Returns weights that balance the classes.

        They are the median of the classes' frequencies over each one's; a frequency counts the
        images that hold the class ("median frequency balancing", arXiv:1411.4734, section 6.3.2).
        Absent classes have 1.

        Args:
            split: Split to count; the first by default.
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
        """Returns all of it in values that JSON knows."""
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


def check_data(
    path: str | Path,
    *,
    dataset: str | None = None,
    fast: bool = False,
    progress: bool = False,
    **options: Any,
) -> DataReport:
    """Checks a folder of images and masks, all its splits.

    Errors: missing, unreadable and cut files; masks of another size; ids beyond the classes, with
    a guess at their cause (black and white masks, colours turned to grey, resized masks); images
    without a mask; the same image in two splits. Warnings: masks without an image, classes that
    are absent, masks without a class, images turned by EXIF, images in two splits that look alike.

    Args:
        path: The folder.
        dataset: As for `read_dataset`.
        fast: Whether to look at headers and the ends of files only, beyond 500 images and 5,000
            masks that are decoded, and not for duplicates.
        progress: Whether to show a bar.
        options: Arguments of the dataset's reader, e.g. `class_names`.

    Returns:
        The report; `str` of it is its text.

    Example:

    >>> report = check_data("pets")  # doctest: +SKIP
    >>> print(report)  # doctest: +SKIP
    """
    findings: list[Finding] = []
    sources: dict[str, SegmentationFiles] = {}
    for split in dataset_splits(path, dataset=dataset) or (None,):
        name = split or "all"
        plain = (dataset or recognise(path)) == "folder"
        try:
            if plain:
                options.setdefault("allow_missing", True)
                findings += _unpaired(path, split)
            sources[name] = read_dataset(path, split, dataset=dataset, **options)
        except (ValueError, OSError) as error:
            findings.append(Finding("error", "data not readable", name, str(path), str(error)))
    report = check_sources(sources, fast=fast, progress=progress)
    return DataReport(_sorted([*findings, *report.findings]), report.splits, sources)


def check_sources(
    sources: Mapping[str, SegmentationFiles], *, fast: bool = False, progress: bool = False
) -> DataReport:
    """Checks images and masks that have been found, as `check_data` does.

    Args:
        sources: Sources by the names of the splits.
        fast: As for `check_data`.
        progress: Whether to show a bar.
    """
    findings: list[Finding] = []
    summaries = {}
    seen = []
    total = sum(map(len, sources.values()))
    with tqdm(total=total, unit="image", disable=None if progress else True) as bar:
        for split, data in sources.items():
            inspections = []
            for inspection in _inspect_all(data, split, fast=fast):
                inspections.append(inspection)
                bar.update()
            findings += [one for inspection in inspections for one in inspection.findings]
            summaries[split] = _summary(data, inspections)
            findings += _black_and_white(data, split, inspections)
            seen += [
                (split, str(example.image), inspection)
                for example, inspection in zip(data.examples, inspections, strict=True)
            ]
    if not fast:
        findings += find_duplicates(seen)
    findings += _absent(sources, summaries)
    return DataReport(_sorted(findings), summaries, dict(sources))


def _inspect_all(data: SegmentationFiles, split: str, *, fast: bool) -> Iterator[Inspection]:
    size = len(data)
    images = _spread(size, _FAST_IMAGES if fast else size)
    masks = _spread(size, _FAST_MASKS if fast else size)
    with ThreadPoolExecutor() as pool:
        yield from pool.map(
            lambda index: inspect(
                data, index, split, read_pixels=index in images, read_labels=index in masks
            ),
            range(size),
        )


def _spread(size: int, count: int) -> set[int]:
    """Returns `count` indices (or all) from 0 to `size`, evenly spaced."""
    return set(np.linspace(0, size - 1, min(size, count)).astype(int).tolist())


def _summary(data: SegmentationFiles, inspections: list[Inspection]) -> SplitSummary:
    classes = len(data.class_names)
    pixels, images_with, pixels_of_those = np.zeros((3, classes), "int64")
    richest, most = np.full(classes, -1), np.zeros(classes, "int64")
    ignored = read = 0
    sizes: dict[tuple[int, int], int] = {}
    for index, one in enumerate(inspections):
        if one.size != (0, 0):
            sizes[one.size] = sizes.get(one.size, 0) + 1
        counts = np.pad(one.counts, (0, max(0, 65536 - len(one.counts))))
        read += bool(one.counts.any())
        ignored += int(counts[data.ignore_class])
        if data.ignore_class < classes:
            counts[data.ignore_class] = 0
        counts = counts[:classes]
        pixels += counts
        images_with += counts > 0
        pixels_of_those += np.where(counts > 0, counts.sum(), 0)
        richest[counts > most] = index
        most = np.maximum(most, counts)
    return SplitSummary(
        len(data), sizes, pixels, images_with, pixels_of_those, ignored, read, richest
    )


def _black_and_white(
    data: SegmentationFiles, split: str, inspections: list[Inspection]
) -> Iterator[Finding]:
    """Finds that all masks hold 0 and the ignored label alone."""
    found = {int(label) for one in inspections for label in np.flatnonzero(one.counts)}
    ignored = data.ignore_class
    if found == {0, ignored} and ignored > 1:
        yield Finding(
            "error",
            "black and white",
            split,
            str(data.examples[0].mask),
            f"Masks must hold the ids of classes. Received: 0 and {ignored} alone, and {ignored} "
            f"is ignored, so that there is nothing to learn; such as "
            f"{str(data.examples[0].mask)!r}. If {ignored} is a class, say "
            f"label_map={{{ignored}: 1}} (--label-map {ignored}:1).",
        )


def _absent(
    sources: Mapping[str, SegmentationFiles], summaries: Mapping[str, SplitSummary]
) -> Iterator[Finding]:
    for split, summary in summaries.items():
        data = sources[split]
        absent = [
            name
            for label, name in enumerate(data.class_names)
            if not summary.pixels[label] and label != data.ignore_class
        ]
        if absent and summary.read == summary.images:
            yield Finding(
                "warning",
                "class absent",
                split,
                str(data.examples[0].mask.parent),
                f"Every class should be in each split. Received: {split} without "
                f"{', '.join(absent)}.",
            )


def _unpaired(path: str | Path, split: str | None) -> Iterator[Finding]:
    images, masks = unpaired(path, split)
    for image in images:
        message = f"Every image must have a mask of its name. Received: {str(image)!r} without."
        yield Finding("error", "mask missing", split or "all", str(image), message)
    for mask in masks:
        message = f"A mask should have an image of its name. Received: {str(mask)!r} without."
        yield Finding("warning", "image missing", split or "all", str(mask), message)


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: one.level))
