"""Compares the float32 Keras networks with the published 8-bit ones, photo by photo.

    python tools/compare_with_tflite.py --images DIR --labels DIR [--json FILE]

The photos are scaled to fit into 513x513 and padded with 127, as the published networks want it.
For each pair it prints the share of equal labels inside the photo (mean and 5th percentile) and
the mean IoU of both against the masks, over the classes that occur in the masks; "segment" is what
`keras_deeplab.segment` gives on the photo as it is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from tqdm import tqdm

from keras_deeplab import DeepLab, segment
from keras_deeplab.metrics import confusion_matrix, mean_iou
from keras_deeplab.tables.weights import WEIGHTS
from keras_deeplab.weights import weights_file

SIDE = 513


def padded(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns the photo in a square of the networks' size, and its own size in there."""
    scale = SIDE / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    square = np.full((SIDE, SIDE, 3), 127, "uint8")
    square[:height, :width] = resized
    return square, (height, width)


def compare(name: str, photos: list[Path], masks: Path) -> dict[str, float]:
    """Runs one pair of networks over the photos."""
    model = DeepLab(weights=name)
    interpreter = Interpreter(str(weights_file(WEIGHTS[name])), num_threads=2)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    agreement = []
    matrices = {key: np.zeros((21, 21), int) for key in ("keras", "tflite", "segment")}
    for photo in tqdm(photos, desc=name):
        image = np.asarray(Image.open(photo).convert("RGB"))
        truth = np.asarray(Image.open(masks / f"{photo.stem}.png"))
        square, (height, width) = padded(image)
        interpreter.set_tensor(source["index"], square[None])
        interpreter.invoke()
        published = interpreter.get_tensor(target["index"])[0, :height, :width]
        scores = np.asarray(model.predict_on_batch(square[None]))[0, :height, :width]
        ours = scores.argmax(-1)
        agreement.append(float((ours == published).mean()))
        size = truth.shape[::-1]
        for key, labels in (("keras", ours), ("tflite", published)):
            small = Image.fromarray(labels.astype("uint8"))
            resized = np.asarray(small.resize(size, Image.Resampling.NEAREST))
            matrices[key] += confusion_matrix(truth, resized, classes=21)
        labels = segment(model, image).labels
        matrices["segment"] += confusion_matrix(truth, labels, classes=21)
    return {
        "agreement_mean": float(np.mean(agreement)),
        "agreement_5th_percentile": float(np.percentile(agreement, 5)),
        **{f"mean_iou_{key}": mean_iou(matrix) for key, matrix in matrices.items()},
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
