"""Trains the network that the package carries, from the cache of `teach.py`.

    python tools/train_bundled/train.py --cache CACHE --out RUN

DeepLab v3 on MobileNetV2 starts from the published network and learns from real masks, from the
published network's soft labels of whole photos, and from what image-level labels rule out. The run
saves a checkpoint, resumes from it, and writes averaged.npz, the moving average of the weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

# oneDNN's convolutions are faster here, also where TensorFlow does not choose them by itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf
from targets import CLASSES, corrected, plain_frames

from keras_deeplab import DeepLab
from keras_deeplab.data.augment import FILL, photometric
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.inference import fit_image, fitted_size
from keras_deeplab.layers.resize_bilinear import ResizeBilinear
from keras_deeplab.metrics import confusion_matrix, mean_iou
from keras_deeplab.optimizers import LayerwiseAdam, PolyDecay
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.weights.load import named_weights

START = "deeplab_v3_mobilenet_v2.voc_trainaug"
NAMES = DATASETS["voc"].class_names
VOID = 255
# Longer side of a photo at scale 1, and side of the crops, pixels. Smaller crops cost accuracy: the
# image-level features are those of a whole photo.
SIDE, CROP = 513, 513
# Targets lie on every eighth pixel.
STRIDE = 8
SCALES = (0.6, 1.5)
# Share of crops that are four small crops side by side, and of single-colour and noise frames.
MOSAICS, FRAMES = 0.2, 0.015
# Share of the mask in the target, where there is one; the rest is the teacher's.
MASK_SHARE = 0.8
# The published features are good: what is to be unlearned lies in the last blocks and the head.
# Gradients stop here, which saves half a step.
FROZEN = r"^(stem|block_(\d|1[0-2])_)"
_HEAD = ("aspp", "classifier")
# The body's batch norm is folded, so nothing compensates for the size of a step.
_BODY = rf"^(?!{'|'.join(_HEAD)})"
_COLUMNS = ("step", "loss", "images_per_second", "mean_iou_masks", "denied", "missed")


class Photos:
    """Photos with a teacher's answer, read from disk as they are drawn."""

    def __init__(self, cache: pathlib.Path, split: str) -> None:
        rows = json.loads((cache / "photos.json").read_text())
        teacher = np.load(cache / "teacher.npy", mmap_mode="r")
        self.rows, self.teacher = [], []
        for row, soft in zip(rows, teacher, strict=True):
            if row["split"] == split and soft[-1, -1].any():
                self.rows.append(row)
                self.teacher.append(soft)
        # Frames of one colour, noise and gradients show nothing.
        self.frames = plain_frames(64)

    def chances(self) -> np.ndarray:
        """Returns how often to draw each photo: those of rare classes more often.

        Reference:
            Repeat factors of Gupta et al., arXiv:1908.03195, appendix B.
        """
        present = np.stack([(soft[::4, ::4] > 127).mean((0, 1)) > 0.01 for soft in self.teacher])
        masked = np.array([row["mask"] is not None for row in self.rows])
        factors = np.sqrt(0.05 / np.clip(present.mean(0), 0.005, 0.05))
        factors = np.where(present, np.maximum(factors, 1), 1).max(1) * np.where(masked, 2.5, 1)
        return factors / factors.sum()

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns image, mask and soft labels; a negative index is a plain frame."""
        if index < 0:
            image = self.frames[index]
            soft = np.zeros((2, 2, CLASSES), "float32")
            soft[..., 0] = 1
            return image, np.zeros(image.shape[:2], "uint8"), soft
        row = self.rows[index]
        image = read_image(row["image"])
        if row["mask"]:
            mask = read_mask(pathlib.Path(row["mask"])).astype("uint8")
        else:
            mask = np.full(image.shape[:2], VOID, "uint8")
        soft = corrected(
            self.teacher[index].astype("float32") / 255,
            present=[NAMES.index(name) for name in row["present"]],
            absent=[NAMES.index(name) for name in row["absent"]],
        )
        return image, mask, soft


def batches(photos: Any, *, batch: int, seed: tuple[int, int], crop: int = CROP) -> tf.data.Dataset:
    """Returns an endless stream of (images, targets).

    A target of shape (batch, points, points, classes) sums to 1 where something is known, and to 0
    outside of the photo.
    """
    chances = photos.chances()

    def draw(stream: int) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((*seed, stream))
        while True:
            for index in rng.choice(len(chances), 1024, p=chances):
                frame = rng.random() < FRAMES
                yield int(-1 - index % 64 if frame else index), int(rng.integers(2**31))

    def look_up(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return photos.read(int(index))

    def vary(index: tf.Tensor, key: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
        kinds = (tf.uint8, tf.uint8, tf.float32)
        image, mask, soft = tf.numpy_function(look_up, [index], kinds, stateful=False)
        image.set_shape((None, None, 3))
        keys = tf.random.experimental.stateless_split(tf.stack([key, 0]), 4)
        size = tf.cast(tf.shape(image)[:2], tf.float32)
        low, high = (math.log(scale * min(1, 2 * side / crop)) for scale in SCALES)
        scale = tf.exp(tf.random.stateless_uniform((), keys[0], low, high))
        aspect = tf.exp(tf.random.stateless_uniform((2,), keys[0], -0.08, 0.08))
        extent = aspect * (side - 1) / (scale * SIDE / tf.reduce_max(size))
        # A crop larger than the photo lies around it.
        room = size - 1 - extent
        corner = tf.random.stateless_uniform((2,), keys[1]) * room
        top_left, bottom_right = corner / (size - 1), (corner + extent) / (size - 1)
        box = tf.concat([top_left, bottom_right], 0)
        mirrored = tf.random.stateless_uniform((), keys[2]) < 0.5
        box = tf.where(mirrored, tf.gather(box, [0, 3, 2, 1]), box)

        def cut(grid: tf.Tensor, points: int, outside: float, method: str) -> tf.Tensor:
            grid = tf.cast(grid, tf.float32)[None]
            return tf.image.crop_and_resize(
                grid, box[None], [0], (points, points), method, extrapolation_value=outside
            )[0]

        points = (side - 1) // STRIDE + 1
        image = cut(image, side, FILL, "bilinear")
        image = photometric({"image": image, "labels": mask}, keys[3])["image"]
        soft.set_shape((None, None, CLASSES))
        soft = cut(soft, points, 0.0, "bilinear")
        labels = cut(mask[..., None], points, VOID, "nearest")[..., 0]
        real = tf.one_hot(tf.cast(labels, tf.int32), CLASSES)
        known = tf.reduce_sum(real, -1, keepdims=True)
        # Where the teacher is silent, the mask counts in full.
        heard = tf.cast(tf.reduce_sum(soft, -1, keepdims=True) > 0.5, tf.float32)
        soft = heard * tf.math.divide_no_nan(soft, tf.reduce_sum(soft, -1, keepdims=True))
        share = known * (MASK_SHARE + (1 - MASK_SHARE) * (1 - heard))
        return image, share * real + (1 - share) * soft

    def stream(number: int, side: int) -> tf.data.Dataset:
        indices = tf.data.Dataset.from_generator(
            lambda: draw(number),
            output_signature=(tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)),
        )
        return indices.map(
            lambda index, key: vary(index, key, side),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    half = crop // 2 + 1
    whole = [stream(0, crop), stream(1, half).batch(4).map(_mosaic)]
    chosen = tf.data.Dataset.sample_from_datasets(whole, [1 - MOSAICS, MOSAICS], seed=seed[1])
    return chosen.batch(batch, drop_remainder=True).prefetch(4)


def _mosaic(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts four crops into one, each without the row and column that the next one begins with."""

    def joined(parts: tf.Tensor) -> tf.Tensor:
        top = tf.concat([parts[0][:-1, :-1], parts[1][:-1]], 1)
        return tf.concat([top, tf.concat([parts[2][:, :-1], parts[3]], 1)], 0)

    return joined(images), joined(targets)


class Run:
    """The network, the average of its weights, the optimizer and the number of steps done."""

    def __init__(self, folder: pathlib.Path, *, steps: int, learning_rate: float) -> None:
        self.folder, self.steps, self.step = folder, steps, 0
        self.model, self.averaged = DeepLab(START), DeepLab(START)
        for layer in self.model.layers:
            if re.search(FROZEN, layer.name):
                layer.trainable = False
        self.scores, self.means = (_fine_scores(m) for m in (self.model, self.averaged))
        self.optimizer = LayerwiseAdam(
            PolyDecay(learning_rate, steps, warmup_steps=min(200, steps // 10)),
            multipliers={_BODY: 0.3},
            weight_decay=1e-2,
        )
        self.optimizer.build(self.scores.trainable_variables)
        self.path = folder / "checkpoint.npz"
        if self.path.exists():
            with np.load(self.path) as file:
                (self.step,), *arrays = (file[name] for name in file.files)
            self.step = int(self.step)
            for variable, array in zip(self._variables(), arrays, strict=True):
                variable.assign(array)

    def _variables(self) -> list[Any]:
        models = (self.model, self.averaged, self.optimizer)
        return [variable for model in models for variable in model.variables]

    def save(self) -> None:
        partial = self.path.with_suffix(".part")
        with partial.open("wb") as file:
            arrays = [np.asarray(variable) for variable in self._variables()]
            np.savez(file, np.array([self.step]), *arrays)
        partial.replace(self.path)
        averaged = {name: np.asarray(v) for name, v in named_weights(self.averaged).items()}
        np.savez(self.folder / "averaged.npz", **averaged)

    def train_step(self) -> Any:
        """Returns a compiled function of one step, from images and targets to the loss."""
        pairs = [
            (mean, value)
            for mean, value in zip(self.means.weights, self.scores.weights, strict=True)
            if value.trainable
        ]

        @tf.function(reduce_retracing=True, jit_compile=False)
        def step(images: tf.Tensor, targets: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = self.scores(images, training=True)
                # TensorFlow's cross-entropy has a gradient where all targets are 0.
                likely = tf.reduce_sum(targets * tf.nn.log_softmax(logits))
                loss = -likely / tf.reduce_sum(targets)
            variables = self.scores.trainable_variables
            gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 5.0)
            self.optimizer.apply(gradients, variables)
            for mean, value in pairs:
                mean.assign(kept * mean + (1 - kept) * value)
            return loss

        return step


def _fine_scores(model: keras.Model) -> keras.Model:
    """Returns the model up to its scores on every eighth pixel."""
    x = model.get_layer("classifier").output
    # Of the size of the targets: a stride of 8 from corner to corner.
    like = keras.layers.MaxPooling2D(1, STRIDE, name="every_eighth")(model.input)
    return keras.Model(model.input, ResizeBilinear(align_corners=True)([x, like]))


def measure(scores: keras.Model, photos: Photos, *, most: int) -> tuple[float, float, float]:
    """Returns mean IoU against masks; of photos with image-level labels, the share that shows an
    absent class on over 1 % of the area, and the share that lacks one that is present.
    """  # noqa: D205
    answer = tf.function(lambda image: tf.argmax(scores(image, training=False), -1))
    counts, denied, missed = np.zeros((CLASSES, CLASSES)), [], []
    for index, row in enumerate(photos.rows):
        real = row["mask"] is not None
        if counts.sum() and not (real or row["absent"]):
            continue
        if not real and len(denied) >= most:
            continue
        image, mask, _ = photos.read(index)
        labels = answer(fit_image(image, (SIDE, SIDE))[None].astype("float32")).numpy()[0]
        height, width = ((np.array(fitted_size(image.shape[:2], (SIDE, SIDE))) - 1) // STRIDE) + 1
        labels = labels[:height, :width]
        if real:
            rows, columns = (
                np.linspace(0, side - 1, count).round().astype(int)
                for side, count in zip(mask.shape, labels.shape, strict=True)
            )
            truth = mask[rows[:, None], columns]
            counts += confusion_matrix(truth, labels, classes=CLASSES, ignore_class=VOID)
        else:
            shares = np.bincount(labels.ravel(), minlength=CLASSES) / labels.size
            denied.append(any(shares[NAMES.index(name)] > 0.01 for name in row["absent"]))
            missed.append(any(shares[NAMES.index(name)] == 0 for name in row["present"]))
    return mean_iou(counts), float(np.mean(denied)), float(np.mean(missed))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--measure-every", type=int, default=500, help="steps")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options.out, steps=options.steps, learning_rate=options.learning_rate)
    photos, held_out = (Photos(options.cache, split) for split in ("train", "held_out"))
    print(f"{len(photos.rows)} photos, {len(held_out.rows)} held out", flush=True)
    step, losses, began = run.train_step(), [], time.time()
    stream = batches(photos, batch=options.batch, seed=(0, run.step))
    with (options.out / "log.csv").open("a", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            log.writerow(_COLUMNS)
            log.writerow([0, "", "", *_rounded(measure(run.means, held_out, most=200))])
            file.flush()
        for images, targets in stream.take(options.steps - run.step):
            kept = min(0.999, (1 + run.step) / (10 + run.step))
            losses.append(step(images, targets, tf.constant(kept, tf.float32)))
            run.step += 1
            measures = run.step % options.measure_every == 0 or run.step == options.steps
            if run.step % 50 and not measures:
                continue
            speed = options.batch * len(losses) / (time.time() - began)
            loss = float(np.mean(losses))
            print(f"{run.step}/{options.steps} loss {loss:.4f} {speed:.1f}/s", flush=True)
            measured: tuple[Any, ...] = ("", "", "")
            if measures:
                run.save()
                measured = _rounded(measure(run.means, held_out, most=200))
                print("  masks, denied, missed", measured, flush=True)
            log.writerow([run.step, f"{loss:.5f}", f"{speed:.2f}", *measured])
            file.flush()
            losses, began = [], time.time()


def _rounded(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in values)


if __name__ == "__main__":
    main()
