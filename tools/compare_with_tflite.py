"""Compares the float32 Keras networks with the published 8-bit ones, photo by photo.

    python tools/compare_with_tflite.py --images DIR --labels DIR [--json FILE]

The photos are scaled to fit into 513x513 and padded with grey, as the published networks want it.
For each pair it prints the share of equal labels inside the photo (mean and 5th percentile) and
the mean IoU of both against the masks, as `keras-deeplab evaluate` measures it: over the classes in
the masks or the predictions, and over those in the masks only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from keras_deeplab import DeepLab, open_segmenter
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.inference import InferenceOptions
from keras_deeplab.metrics import confusion_matrix, mean_iou, mean_iou_in_truth
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights import weights_file


def compare(name: str, photos: list[Path], masks: Path) -> dict[str, float]:
    """Runs one pair of networks over the photos."""
    ours = open_segmenter(DeepLab(weights=name))
    theirs = open_segmenter(weights_file(WEIGHTS[name]), class_names=ours.class_names)
    classes = len(ours.class_names)
    agreement = []
    matrices = {key: np.zeros((classes, classes), int) for key in ("keras", "tflite")}
    for photo in tqdm(photos, desc=name):
        image, truth = read_image(photo), read_mask(masks / f"{photo.stem}.png")
        options = InferenceOptions(size=ours.inference_size)
        scores = {
            key: next(model.predict([image], options))
            for key, model in (("keras", ours), ("tflite", theirs))
        }
        equal = scores["keras"].values.argmax(-1) == scores["tflite"].values
        agreement.append(float(equal.mean()))
        for key, one in scores.items():
            matrices[key] += confusion_matrix(truth, one.labels(), classes=classes)
    return {
        "agreement_mean": float(np.mean(agreement)),
        "agreement_5th_percentile": float(np.percentile(agreement, 5)),
        **{f"mean_iou_{key}": mean_iou(matrix) for key, matrix in matrices.items()},
        **{
            f"mean_iou_in_truth_{key}": mean_iou_in_truth(matrix)
            for key, matrix in matrices.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="folder of masks, by stem")
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    photos = sorted(arguments.images.iterdir())
    names = [row.name for row in WEIGHTS.values() if row.converter == "tflite"]
    result = {name: compare(name, photos, arguments.labels) for name in names}
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
