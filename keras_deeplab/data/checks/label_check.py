"""The label check: finds problems in images and masks before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_deeplab.data.annotations.annotated import Finding
from keras_deeplab.data.annotations.annotated_source import load_annotations
from keras_deeplab.data.checks.annotation_check import check_annotations
from keras_deeplab.data.checks.data_report import DataReport, SplitSummary
from keras_deeplab.data.checks.duplicates import find_duplicates
from keras_deeplab.data.checks.inspection import Inspection, inspect_example
from keras_deeplab.data.formats.folder import unpaired, unread
from keras_deeplab.data.formats.registry import (
    dataset_splits,
    format_of,
    is_plain,
    numbering_of,
    read_dataset,
)
from keras_deeplab.data.sources import SegmentationFiles

# A fast check decodes at most this many; of the others it reads the header and the end of the file.
_FAST_IMAGES = 500
_FAST_MASKS = 5000


def check_data(
    path: str | Path,
    *,
    dataset: str | None = None,
    fast: bool = False,
    progress: bool = False,
    **options: Any,
) -> DataReport:
    """Checks all splits of a folder of images and masks.

    Errors: missing, unreadable and truncated files; images and masks of different sizes; invalid
    label ids, with their likely cause (black-and-white masks, colour masks converted to grey,
    resized masks); images without a mask; the same image in two splits. Warnings: masks without an
    image, absent classes, masks without a class, images rotated by EXIF, near-duplicate images in
    two splits.

    Of the annotations of labelling tools also: damaged regions, outlines without an area, annotated
    photos that are missing (errors); outlines that cross themselves or reach beyond the photo,
    photos without annotations, class names that differ by case or a few letters (warnings).

    Args:
        path: The folder.
        dataset: A name in `keras_deeplab.presets.datasets`, "folder" for a plain folder, or None to
            detect known datasets by their layout.
        fast: Whether to decode at most 500 images and 5,000 masks, read only the header and the
            end of all other files, and skip the search for duplicates.
        progress: Whether to show a progress bar.
        options: Arguments of the dataset's reader, e.g. `class_names`.

    Returns:
        The report, which prints as text.

    Example:

    >>> report = check_data("pets")  # doctest: +SKIP
    >>> print(report)  # doctest: +SKIP
    """
    findings: list[Finding] = []
    sources: dict[str, SegmentationFiles] = {}
    plain = is_plain(path, dataset, **options)
    if plain:
        options.setdefault("allow_missing", True)
        if "label_map" not in options and (numbering := numbering_of(path, dataset)):
            options["label_map"] = numbering.label_map
            kind, message = "numbering recognised", numbering.message
            findings.append(Finding("warning", kind, "all", str(path), message))
    elif (name := format_of(path, dataset)) is not None:
        annotations = load_annotations(path, name)
        annotations.said = True
        findings += check_annotations(annotations)
    for split in dataset_splits(path, dataset=dataset) or (None,):
        name = split or "all"
        try:
            if plain:
                findings += _unpaired(path, split)
            source = sources[name] = read_dataset(path, split, dataset=dataset, **options)
            if plain:  # the masks are searched for classes only once
                options |= {"class_names": source.class_names, "palette": source.palette}
        except (ValueError, OSError) as error:
            findings.append(Finding("error", "data not readable", name, str(path), str(error)))
    report = check_sources(sources, fast=fast, progress=progress)
    return DataReport(_sorted([*findings, *report.findings]), report.splits, sources)


def check_sources(
    sources: Mapping[str, SegmentationFiles], *, fast: bool = False, progress: bool = False
) -> DataReport:
    """Checks images and masks of given sources, like `check_data`.

    Args:
        sources: Data sources by split name.
        fast: Whether to decode at most 500 images and 5,000 masks, read only the header and the
            end of all other files, and skip the search for duplicates.
        progress: Whether to show a progress bar.
    """
    findings: list[Finding] = []
    summaries = {}
    seen: list[Inspection] = []
    total = sum(map(len, sources.values()))
    with tqdm(total=total, unit="image", disable=None if progress else True) as bar:
        for split, data in sources.items():
            inspections = []
            for one in _inspect_all(data, split, fast=fast):
                inspections.append(one)
                bar.update()
            findings += chain.from_iterable(one.findings for one in inspections)
            summaries[split] = _summary(data, inspections)
            findings += _nothing_to_learn(data, split, inspections)
            seen += inspections
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
            lambda index: inspect_example(
                data, index, split, read_pixels=index in images, read_labels=index in masks
            ),
            range(size),
        )


def _spread(size: int, count: int) -> set[int]:
    """Returns at most `count` evenly spaced indices below `size`."""
    return set(np.linspace(0, size - 1, min(size, count)).astype(int).tolist())


def _summary(data: SegmentationFiles, inspections: list[Inspection]) -> SplitSummary:
    classes = len(data.class_names)
    pixels, images_with, pixels_of_those = np.zeros((3, classes), "int64")
    richest, most = np.full(classes, -1), np.zeros(classes, "int64")
    ignored = read = 0
    sizes = dict(Counter(one.size for one in inspections if one.size != (0, 0)))
    for index, one in enumerate(inspections):
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


def _nothing_to_learn(
    data: SegmentationFiles, split: str, inspections: list[Inspection]
) -> Iterator[Finding]:
    """Finds splits whose masks hold only the ignored label, or only 0 and the ignored label."""
    found = {int(label) for one in inspections for label in np.flatnonzero(one.counts)}
    ignored, mask = data.ignore_class, str(data.examples[0].mask)
    if found == {ignored}:
        kind, words = "nothing labelled", f"only {ignored}, which is ignored"
    elif found == {0, ignored} and ignored > 1:
        kind, words = "black and white", f"only 0 and {ignored}, and {ignored} is ignored"
    else:
        return
    yield Finding(
        "error",
        kind,
        split,
        mask,
        f"Masks must hold the ids of classes. Received: {words}, so there is nothing to learn; for "
        f"example {mask!r}. If {ignored} is a class, pass label_map={{{ignored}: 1}} "
        f"(--label-map {ignored}:1).",
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
    passed = (
        "Images and masks must have the suffix of an image that Pillow reads. Received: {!r}, "
        "which is passed over. Convert it to JPEG or PNG."
    )
    for level, kind, files, words in (
        ("error", "mask missing", images, "Every image must have a mask"),
        ("warning", "image missing", masks, "A mask should have an image"),
        ("warning", "file passed over", unread(path, split), ""),
    ):
        message = f"{words} of its name. Received: {{!r}} without." if words else passed
        for file in files:
            yield Finding(level, kind, split or "all", str(file), message.format(str(file)))


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: one.level))
