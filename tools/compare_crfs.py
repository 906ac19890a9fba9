"""Mean IoU of a network with and without a CRF, for every preset.

    python tools/compare_crfs.py --images DIR --labels DIR [--presets NAME ...] [--json FILE]

The first figure is over the classes in the masks or the predictions, the second over those in the
masks only.

The labels are PNG files of VOC label ids, by stem of the photo; 255 is ignored.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_deeplab import DeepLab, DenseCRF, open_segmenter
from keras_deeplab.inference import InferenceOptions
from keras_deeplab.metrics import confusion_matrix, mean_iou, mean_iou_in_truth
from keras_deeplab.presets.crfs import CRFS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="folder of masks")
    parser.add_argument("--weights", default="voc", help="as for DeepLab")
    parser.add_argument("--presets", nargs="+", default=list(CRFS), choices=list(CRFS))
    parser.add_argument("--engines", nargs="+", default=["permutohedral"])
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    segmenter = open_segmenter(DeepLab(weights=arguments.weights))
    classes = len(segmenter.class_names)
    crfs: dict[str, DenseCRF | None] = {"without": None}
    for engine in arguments.engines:
        for preset in arguments.presets:
            crfs[f"{preset} ({engine})"] = DenseCRF.preset(preset, engine=engine)
    matrices = {name: np.zeros((classes, classes), int) for name in crfs}
    masks = sorted(arguments.labels.iterdir())
    for mask in tqdm(masks):
        photos = list(arguments.images.glob(f"{mask.stem}.*"))
        if not photos:
            continue
        image = np.asarray(Image.open(photos[0]).convert("RGB"))
        truth = np.asarray(Image.open(mask))
        (plain,) = segmenter.predict([image], InferenceOptions(size=513))
        for name, crf in crfs.items():
            scores = plain if crf is None else plain.refined(crf)
            matrices[name] += confusion_matrix(truth, scores.labels(), classes=classes)
    result = {
        name: {"mean_iou": mean_iou(matrix), "mean_iou_in_truth": mean_iou_in_truth(matrix)}
        for name, matrix in matrices.items()
    }
    for name, values in result.items():
        print(f"{values['mean_iou']:.4f}  {values['mean_iou_in_truth']:.4f}  {name}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
