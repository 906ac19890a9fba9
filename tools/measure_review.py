"""Damages a share of a dataset's masks on purpose, and measures how many `review` shows first.

    python tools/measure_review.py --data camvid --dataset camvid --model runs/camvid/best.keras

Damages, in turn: two classes swapped, the largest region of a small class given to the class around
it, the mask shifted by a tenth, the mask of another photo. The network must not be trained on these
masks.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from keras_deeplab.data import Example, SegmentationFiles, read_dataset
from keras_deeplab.data.annotations.outlines import outlines
from keras_deeplab.evaluation import review

KINDS = ("swapped classes", "missing object", "shifted mask", "mask of another photo")


def damaged(labels: np.ndarray, other: np.ndarray, kind: str, ignored: int) -> np.ndarray:
    """Returns a mask with a damage."""
    counts = np.bincount(labels[labels != ignored].ravel())
    order = np.argsort(-counts)
    if kind == "swapped classes":
        first, second = order[1], order[2]
        swapped = labels.copy()
        swapped[labels == first], swapped[labels == second] = second, first
        return swapped
    if kind == "missing object":
        small = [label for label in order[3:] if counts[label]]
        skip = tuple(label for label in np.unique(labels).tolist() if label not in small)
        mask = next(outlines(labels, skip=skip, smallest=1, tolerance=0)).mask
        ring = np.zeros_like(mask)
        for axis in (0, 1):
            for step in (-3, 3):
                ring |= np.roll(mask, step, axis)
        around = labels[ring & ~mask & (labels != ignored)]
        return np.where(mask, np.bincount(around).argmax(), labels).astype(labels.dtype)
    if kind == "shifted mask":
        return np.roll(labels, labels.shape[1] // 10, 1)
    return other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--model"):
        parser.add_argument(name, required=True)
    parser.add_argument("--dataset")
    parser.add_argument("--splits", nargs="+", default=["val", "test"])
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = [read_dataset(arguments.data, s, dataset=arguments.dataset) for s in arguments.splits]
    examples = [example for source in data for example in source.examples]
    rng = np.random.default_rng(arguments.seed)
    number = round(arguments.share * len(examples))
    chosen = rng.choice(len(examples), number, replace=False).tolist()
    masks = [source.read_labels(i) for source in data for i in range(len(source))]
    with TemporaryDirectory() as folder:
        for place, index in enumerate(chosen):
            other = masks[(index + len(masks) // 2) % len(masks)]
            kind = KINDS[place % len(KINDS)]
            mask = damaged(masks[index], other, kind, data[0].ignore_class)
            path = Path(folder, f"{index}.png")
            Image.fromarray(mask).save(path)
            examples[index] = Example(examples[index].name, examples[index].image, path)
        source = SegmentationFiles(
            examples,
            class_names=data[0].class_names,
            ignore_class=data[0].ignore_class,
            palette=data[0].palette,
        )
        ranked = [one.index for one in review(arguments.model, source)]
    ranks = {index: ranked.index(index) for index in chosen}
    found = {
        kind: [ranks[index] for place, index in enumerate(chosen) if KINDS[place % 4] == kind]
        for kind in KINDS
    }
    shown = [index for index in ranked[:number] if index in ranks]
    result = {
        "photos": len(examples),
        "damaged": number,
        "share_of_damaged_among_first": len(shown) / number,
        "found_by_kind": {
            kind: f"{sum(r < number for r in places)} of {len(places)}"
            for kind, places in found.items()
        },
        "ranks": sorted(ranks.values()),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
