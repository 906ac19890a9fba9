"""Trains the network that the package carries, from the cache of `teach.py`.

    python tools/train_bundled/train.py --cache CACHE --out RUN

Every pixel's target is the teacher's probabilities, mixed with the real mask where there is one.
Targets lie at the scores of the decoder, stride 4. The run keeps a checkpoint, goes on where it
was stopped, and ends with averaged.npz, the moving average of the weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# oneDNN's convolutions are faster here, also where TensorFlow does not choose them by itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

from keras_deeplab.data.augment import FILL, photometric
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.inference.scores import fit_image, fitted_size
from keras_deeplab.metrics import confusion_matrix, mean_iou
from keras_deeplab.models import build_model
from keras_deeplab.optimizers import LayerwiseAdam
from keras_deeplab.schedules import PolyDecay
from keras_deeplab.tables.datasets import DATASETS
from keras_deeplab.tables.deeplabs import DEEPLABS
from keras_deeplab.weights.imagenet import load_imagenet
from keras_deeplab.weights.load import named_weights

NETWORK = "deeplab_v3_plus_efficientnet_lite0"
CLASSES = len(DATASETS["voc"].class_names)
VOID = 255
# Longer side of a photo at scale 1, pixels.
SIDE = 385
# Share of the mask in the target, where there is one; the rest is the teacher's.
MASK_SHARE = 0.7
# Weights up to here are ImageNet's and stay: lines and textures are the same in every photo.
_FROZEN = ("stem", "block_0_", "block_1_", "block_2_")
# Batch norm is frozen there, so nothing takes the size of a step back.
_BODY = r"^(?!aspp|decoder|classifier)"


@dataclass(frozen=True)
class Stage:
    """A part of the training: side of the crops and the range of scales, per `SIDE`."""

    steps: int
    crop: int
    scales: tuple[float, float]


# In smaller crops the wide branches of ASPP see nothing but padding, and learn nothing.
STAGES = (
    Stage(3000, 257, (0.5, 1.6)),
    Stage(1000, 321, (0.6, 1.8)),
)


class Photos:
    """All photos, masks and soft labels in memory."""

    def __init__(self, cache: pathlib.Path, split: str) -> None:
        rows = json.loads((cache / "photos.json").read_text())
        chosen = [number for number, row in enumerate(rows) if row[3] == split]
        self.names = [rows[number][0] for number in chosen]
        self.images = [read_image(rows[number][1]) for number in chosen]
        self.masks = [
            read_mask(pathlib.Path(rows[number][2])).astype("uint8") if rows[number][2] else None
            for number in chosen
        ]
        self.teacher = np.load(cache / "teacher.npy", mmap_mode="r")[chosen]

    def chances(self) -> np.ndarray:
        """Returns how often to draw each photo: those of rare classes more often.

        Reference:
            Repeat factors of Gupta et al., arXiv:1908.03195, appendix B.
        """
        shares = self.teacher.mean((1, 2), dtype="float32") / 255
        present = shares > 0.01
        factors = np.sqrt(0.05 / np.clip(present.mean(0), 0.005, 0.05))
        factors = np.where(present, np.maximum(factors, 1), 1).max(1)
        return factors / factors.sum()


def batches(photos: Photos, stage: Stage, *, batch: int, seed: int) -> tf.data.Dataset:
    """Returns an endless stream of (images, targets); targets outside of photos are 0."""
    points = (stage.crop - 1) // 4 + 1
    chances = photos.chances()

    def draw() -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng(seed)
        while True:
            for index in rng.choice(len(chances), 1024, p=chances):
                yield int(index), int(rng.integers(2**31))

    def look_up(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, mask = photos.images[index], photos.masks[index]
        void = np.full(image.shape[:2], VOID, "uint8")
        return image, void if mask is None else mask, photos.teacher[index]

    def vary(index: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, mask, soft = tf.numpy_function(look_up, [index], (tf.uint8,) * 3, stateful=False)
        image.set_shape((None, None, 3))
        keys = tf.random.experimental.stateless_split(tf.stack([key, 0]), 4)
        size = tf.cast(tf.shape(image)[:2], tf.float32)
        low, high = (math.log(scale) for scale in stage.scales)
        scale = tf.exp(tf.random.stateless_uniform((), keys[0], low, high))
        aspect = tf.exp(tf.random.stateless_uniform((2,), keys[0], -0.08, 0.08))
        extent = aspect * (stage.crop - 1) / (scale * SIDE / tf.reduce_max(size))
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

        image = cut(image, stage.crop, FILL, "bilinear")
        image = photometric({"image": image, "labels": mask}, keys[3])["image"]
        soft.set_shape((None, None, CLASSES))
        soft = cut(soft, points, 0.0, "bilinear")
        soft = tf.math.divide_no_nan(soft, tf.reduce_sum(soft, -1, keepdims=True))
        labels = cut(mask[..., None], points, VOID, "nearest")[..., 0]
        real = tf.one_hot(tf.cast(labels, tf.int32), CLASSES)
        share = MASK_SHARE * tf.reduce_sum(real, -1, keepdims=True)
        return image, share * real + (1 - share) * soft

    indices = tf.data.Dataset.from_generator(draw, output_types=(tf.int32, tf.int32))
    indices = indices.map(lambda index, key: (tf.ensure_shape(index, ()), tf.ensure_shape(key, ())))
    varied = indices.map(vary, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return varied.batch(batch, drop_remainder=True).prefetch(4)


def build() -> keras.Model:
    """Returns the network on ImageNet's weights, up to the scores of the decoder."""
    model = build_model(
        DEEPLABS[NETWORK],
        class_names=DATASETS["voc"].class_names,
        preprocessing="tf",
        align_corners=True,
        batch_norm="frozen",
        head_batch_norm="trainable",
    )
    load_imagenet(model, "efficientnet_lite0")
    for layer in model.layers:
        if layer.name.startswith(_FROZEN):
            layer.trainable = False
    return model


class Run:
    """A network, its average, its optimizer and how far they are."""

    def __init__(self, folder: pathlib.Path, *, steps: int, learning_rate: float) -> None:
        self.folder = folder
        self.model, self.averaged = build(), build()
        self.scores = keras.Model(self.model.input, self.model.get_layer("classifier").output)
        self.optimizer = LayerwiseAdam(
            PolyDecay(learning_rate, steps, warmup_steps=min(100, steps // 10)),
            multipliers={_BODY: 0.07},
            weight_decay=1e-2,
        )
        self.optimizer.build(self.model.trainable_variables)
        self.step = 0

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.averaged.variables, *self.optimizer.variables]

    def save(self) -> None:
        partial = self.folder / "checkpoint.part"
        with partial.open("wb") as file:
            arrays = [np.asarray(variable) for variable in self._variables()]
            np.savez(file, np.array(self.step), *arrays)
        partial.replace(self.folder / "checkpoint.npz")
        weights = named_weights(self.averaged)
        np.savez(self.folder / "averaged.npz", **{k: np.asarray(v) for k, v in weights.items()})

    def restore(self) -> None:
        path = self.folder / "checkpoint.npz"
        if path.exists():
            with np.load(path) as file:
                step, *arrays = (file[name] for name in file.files)
            self.step = int(step)
            for variable, array in zip(self._variables(), arrays, strict=True):
                variable.assign(array)

    def train_step(self) -> Any:
        """Returns a compiled function of one step, from images and targets to the loss."""

        @tf.function(reduce_retracing=True, jit_compile=False)
        def step(images: tf.Tensor, targets: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = self.scores(images, training=True)
                losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
                loss = tf.reduce_sum(losses) / tf.reduce_sum(targets)
            variables = self.model.trainable_variables
            gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 5.0)
            self.optimizer.apply(gradients, variables)
            for mean, value in zip(self.averaged.weights, self.model.weights, strict=True):
                if value.trainable or "moving" in value.path:
                    mean.assign(kept * mean + (1 - kept) * value)
            return loss

        return step


def measure(model: keras.Model, photos: Photos, *, most: int) -> tuple[float, float]:
    """Returns mean IoU against masks, and agreement with the teacher where there is none."""
    scores = keras.Model(model.input, model.get_layer("classifier").output)
    answer = tf.function(lambda image: tf.argmax(scores(image, training=False), -1))
    points = (SIDE - 1) // 4 + 1
    counts = {True: np.zeros((CLASSES, CLASSES)), False: np.zeros((CLASSES, CLASSES))}
    left = {True: most, False: most}
    for image, mask, soft in zip(photos.images, photos.masks, photos.teacher, strict=True):
        real = mask is not None
        if left[real] == 0:
            continue
        left[real] -= 1
        labels = answer(fit_image(image, (SIDE, SIDE))[None].astype("float32")).numpy()[0]
        height, width = ((np.array(fitted_size(image.shape[:2], (SIDE, SIDE))) - 1) // 4) + 1
        labels = labels[: min(height, points), : min(width, points)]
        truth = soft.argmax(-1) if mask is None else mask
        rows, columns = (
            np.linspace(0, side - 1, count).round().astype(int)
            for side, count in zip(truth.shape, labels.shape, strict=True)
        )
        truth = truth[rows[:, None], columns]
        counts[real] += confusion_matrix(truth, labels, classes=CLASSES, ignore_class=VOID)
    return mean_iou(counts[True]), mean_iou(counts[False])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, nargs=len(STAGES), help="of each stage")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--measure-every", type=int, default=400, help="steps")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    counts = options.steps or [stage.steps for stage in STAGES]
    ends = np.cumsum(counts)
    run = Run(options.out, steps=int(ends[-1]), learning_rate=options.learning_rate)
    run.restore()
    photos, held_out = (Photos(options.cache, split) for split in ("train", "held_out"))
    print(f"{len(photos.images)} photos, {len(held_out.images)} held out", flush=True)
    step, losses, began = run.train_step(), [], time.time()
    with (options.out / "log.csv").open("a", newline="") as file:
        log = csv.writer(file)
        for stage, end in zip(STAGES, ends, strict=True):
            if run.step >= end:
                continue
            stream = batches(photos, stage, batch=options.batch, seed=run.step)
            for images, targets in stream.take(int(end) - run.step):
                kept = min(0.998, (1 + run.step) / (10 + run.step))
                losses.append(step(images, targets, tf.constant(kept, tf.float32)))
                run.step += 1
                if run.step % 50 == 0:
                    speed = options.batch * len(losses) / (time.time() - began)
                    loss = float(np.mean(losses))
                    print(f"{run.step}/{ends[-1]} loss {loss:.4f} {speed:.1f}/s", flush=True)
                    ious: tuple[Any, Any] = ("", "")
                    if run.step % options.measure_every == 0 or run.step == ends[-1]:
                        run.save()
                        ious = measure(run.averaged, held_out, most=150)
                        print(f"  masks {ious[0]:.4f} teacher {ious[1]:.4f}", flush=True)
                    log.writerow([run.step, f"{loss:.5f}", f"{speed:.2f}", *ious])
                    file.flush()
                    losses, began = [], time.time()
    run.save()


if __name__ == "__main__":
    main()
