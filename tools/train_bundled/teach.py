"""Asks published networks for soft labels of photos, once, and keeps them in a folder.

    python tools/train_bundled/teach.py --photos PHOTOS --keep-out coco128_voc/images --out CACHE

Passes: the full network on the photo in 513, mirrored in 385, and the network of half width
mirrored in 513; their probabilities are averaged with weights 2, 2, 1. The cache holds
photos.json (names and splits) and teacher.npy, uint8 (photos, 49, 49, 21): probabilities times
255 at 49 x 49 points, the outer ones at the photo's corners. It goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib

# oneDNN's convolutions are faster here, also where TensorFlow does not choose them by itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf
from photos import read_photos
from tqdm import tqdm

from keras_deeplab import DeepLab
from keras_deeplab.data.images import read_image
from keras_deeplab.inference.scores import fit_image, fitted_size

GRID = 49
CLASSES = 21
_BATCH = 8
_FULL = "deeplab_v3_mobilenet_v2.voc_trainaug"
_HALF = "deeplab_v3_mobilenet_v2_050.voc_trainaug"
# Weights, side of the square, whether mirrored, share of the average.
_PASSES = ((_FULL, 513, False, 0.4), (_FULL, 385, True, 0.4), (_HALF, 513, True, 0.2))


def teacher(weights: str, side: int, mirrored: bool) -> tf.types.experimental.GenericFunction:
    """Returns a function from photos in a square, and their boxes, to probabilities on the grid."""
    model = DeepLab(weights, input_shape=(side, side, 3))
    scores = keras.Model(model.input, model.get_layer("classifier").output)

    @tf.function(jit_compile=False)
    def probabilities(images: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        logits = scores(images, training=False)
        grid = tf.image.crop_and_resize(logits, boxes, tf.range(tf.shape(boxes)[0]), (GRID, GRID))
        return tf.nn.softmax(tf.reverse(grid, [2]) if mirrored else grid)

    return probabilities


def fitted(images: list[np.ndarray], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns photos in a square, and the box of each in it: (top, left, bottom, right), 0 to 1."""
    sizes = np.array([fitted_size(image.shape[:2], (side, side)) for image in images])
    boxes = np.concatenate([np.zeros_like(sizes), sizes - 1], axis=1) / (side - 1)
    return np.stack([fit_image(image, (side, side)) for image in images]), boxes.astype("float32")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=pathlib.Path, required=True)
    parser.add_argument("--keep-out", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    listed, file = options.out / "photos.json", options.out / "teacher.npy"
    if not listed.exists():
        photos = read_photos(options.photos, options.keep_out)
        np.lib.format.open_memmap(file, "w+", "uint8", (len(photos), GRID, GRID, CLASSES)).flush()
        rows = [[p.name, str(p.image), p.mask and str(p.mask), p.split] for p in photos]
        listed.write_text(json.dumps(rows, indent=0))
    rows = json.loads(listed.read_text())
    cache = np.load(file, mmap_mode="r+")
    passes = [(teacher(w, side, flip), side, flip, share) for w, side, flip, share in _PASSES]
    # What is written sums to about 255; what is not, to 0.
    todo = np.flatnonzero(cache[:, -1, -1].sum(-1) == 0)
    for chunk in tqdm([todo[i : i + _BATCH] for i in range(0, len(todo), _BATCH)], mininterval=10):
        images = [read_image(rows[index][1]) for index in chunk]
        mean = np.zeros((len(chunk), GRID, GRID, CLASSES), "float32")
        for network, side, flip, share in passes:
            turned = [np.ascontiguousarray(i[:, ::-1]) if flip else i for i in images]
            mean += (
                share * network(*fitted([np.ascontiguousarray(i) for i in turned], side)).numpy()
            )
        cache[chunk] = np.round(mean * 255)
    cache.flush()


if __name__ == "__main__":
    main()
