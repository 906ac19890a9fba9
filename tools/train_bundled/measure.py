"""Measures networks on photos that none was trained on, in one run.

    python tools/train_bundled/measure.py --photos PHOTOS --coco coco128_voc --json FILE
    python tools/train_bundled/measure.py --parts PARTS --sizes 321 385 449 513

The first compares the networks on 128 COCO photos, on the VOC val photos, and there on the classes
that occur in five or more of them. The second chooses a size, on the photos that `train.py` held
out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pathlib
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np

from keras_deeplab import DeepLab, evaluate
from keras_deeplab.data.masks import read_mask
from keras_deeplab.presets.datasets import DATASETS

NAMES = DATASETS["voc"].class_names
NETWORKS = ["deeplab_v3_mobilenet_v2.voc", "deeplab_v3_mobilenet_v2.voc_trainaug"]
_PHOTOS_OF_A_CLASS = 5


def measured(model: Any, pairs: list[Any], size: int | None = None) -> dict[str, Any]:
    """Returns mean IoU, that of the true and of the frequent classes, and the IoU by class."""
    result = evaluate(model, pairs, size=size, trimap_width=1, pictures=0)
    photos = np.zeros(len(NAMES), int)
    for _, mask in pairs:
        photos += np.bincount(read_mask(mask).ravel(), minlength=256)[: len(NAMES)] > 0
    frequent = photos >= _PHOTOS_OF_A_CLASS
    return {
        "photos": len(pairs),
        "mean_iou": round(result.mean_iou, 4),
        "mean_iou_in_truth": round(result.mean_iou_in_truth, 4),
        "mean_iou_frequent": round(float(result.class_iou[frequent].mean()), 4),
        "frequent": [name for name, often in zip(NAMES, frequent, strict=True) if often],
        "class_iou": {
            name: round(float(iou), 4)
            for name, iou in zip(NAMES, result.class_iou, strict=True)
            if not np.isnan(iou)
        },
    }


def class_table(results: list[dict[str, Any]]) -> str:
    """Returns the IoU by class in Markdown, a column for each network and set."""
    columns = [result["class_iou"] for result in results]
    heads = [f"{result['network'].split('.')[0]}, {result['set']}" for result in results]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in NAMES:
        cells = [f"{ious[name]:.3f}" if name in ious else "" for ious in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--photos", type=pathlib.Path, help="with images/, masks/ and index.csv")
    parser.add_argument("--coco", type=pathlib.Path, help="with images/ and labels/")
    parser.add_argument("--parts", type=pathlib.Path, help="of parts.py")
    parser.add_argument("--sizes", type=int, nargs="+", default=[None])
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    sets: dict[str, list[tuple[pathlib.Path, pathlib.Path]]] = {}
    if options.coco:
        masks = sorted((options.coco / "labels").iterdir())
        sets["coco128"] = [(options.coco / "images" / f"{m.stem}.jpg", m) for m in masks]
    if options.photos:
        with (options.photos / "index.csv").open() as file:
            ids = [row["id"] for row in csv.DictReader(file) if row["voc_split"] == "val"]
        images, masks_folder = options.photos / "images", options.photos / "masks"
        sets["voc_val"] = [(images / f"{i}.jpg", masks_folder / f"{i}.png") for i in ids]
    if options.parts:
        rows = json.loads((options.parts / "photos.json").read_text())
        sets["held_out"] = [
            (pathlib.Path(row["image"]), pathlib.Path(row["mask"]))
            for row in rows
            if row["split"] == "held_out" and row["mask"]
        ]
    results = []
    for network in options.networks:
        model = DeepLab(network)
        for name, pairs in sets.items():
            for size in options.sizes:
                row = {"network": network, "set": name, "size": size}
                results.append(row | measured(model, pairs, size))
                means = ("mean_iou", "mean_iou_in_truth", "mean_iou_frequent")
                print({k: results[-1][k] for k in (*row, *means)})
    print(class_table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
