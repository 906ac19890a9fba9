"""Asks the published MobileNetV2 network for soft labels of photos, once, and keeps them.

    python tools/train_bundled/teach.py --photos FOLDER... --keep-out coco128_voc/images --out CACHE

The network runs on each photo at 513. (The network of half width is left out: on coco128_voc its
mean IoU is 0.45, where this one's is 0.60.) The cache holds photos.json (`photos.Photo` by field)
and teacher.npy, uint8 (photos, 49, 49, 21): probabilities times 255 at 49 x 49 points, the outer
ones at the photo's corners. Photos are taken in random order, so that training may start before
the last one; a run that was stopped resumes.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from photos import read_photos
from tqdm import tqdm

from keras_deeplab import DeepLab
from keras_deeplab.data.images import read_image
from keras_deeplab.inference import fit_image, fitted_size

GRID = 49
CLASSES = 21
_WEIGHTS = "deeplab_v3_mobilenet_v2.voc_trainaug"
# Side of the square, and whether mirrored.
_PASSES = ((513, False),)


def teacher(side: int) -> bytes:
    """Returns a TFLite network from a photo in a square to logits."""
    model = DeepLab(_WEIGHTS, input_shape=(side, side, 3))
    scores = keras.Model(model.input, model.get_layer("classifier").output)
    signature = [tf.TensorSpec((1, side, side, 3))]
    function = tf.function(scores, input_signature=signature, jit_compile=False)
    concrete = [function.get_concrete_function()]
    return tf.lite.TFLiteConverter.from_concrete_functions(concrete).convert()


class Teacher:
    """The networks of all passes, for one thread."""

    def __init__(self, networks: list[bytes]) -> None:
        self._interpreters = [Interpreter(model_content=n, num_threads=1) for n in networks]
        for interpreter in self._interpreters:
            interpreter.allocate_tensors()

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Returns float32 probabilities of shape (GRID, GRID, CLASSES)."""
        mean = np.zeros((GRID, GRID, CLASSES), "float32")
        for interpreter, (side, mirrored) in zip(self._interpreters, _PASSES, strict=True):
            turned = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            fitted = fit_image(turned, (side, side))[None].astype("float32")
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], fitted)
            interpreter.invoke()
            logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            bottom, right = (np.array(fitted_size(image.shape[:2], (side, side))) - 1) / (side - 1)
            grid = tf.image.crop_and_resize(logits, [[0, 0, bottom, right]], [0], (GRID, GRID))
            soft = tf.nn.softmax(grid)[0].numpy()
            mean += (soft[:, ::-1] if mirrored else soft) / len(_PASSES)
        return mean


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=pathlib.Path, nargs="+", required=True)
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
        listed.write_text(json.dumps([asdict(photo) for photo in photos], indent=0))
    rows = json.loads(listed.read_text())
    cache = np.load(file, mmap_mode="r+")
    # What is written sums to about 255; what is not, to 0.
    todo = np.flatnonzero(cache[:, -1, -1].sum(-1) == 0)
    np.random.default_rng(0).shuffle(todo)
    networks, own = [teacher(side) for side, _ in _PASSES], threading.local()

    def teach(index: int) -> None:
        if not hasattr(own, "teacher"):
            own.teacher = Teacher(networks)
        image = np.ascontiguousarray(read_image(rows[index]["image"]))
        cache[index] = np.round(own.teacher.probabilities(image) * 255)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in tqdm(pool.map(teach, todo), total=len(todo), mininterval=10):
            pass
    cache.flush()


if __name__ == "__main__":
    main()
