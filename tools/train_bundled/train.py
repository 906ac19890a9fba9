"""Trains the network that the package carries, from the cache of `teach.py`.

    python tools/train_bundled/train.py --cache CACHE --out RUN

Every pixel's target is the teacher's probabilities, mixed with the real mask where there is one.
First backbone and ASPP learn what is where, at output stride 32, half the work of 16, by a
classifier of their own; then the decoder joins them. The run keeps a checkpoint, goes on where it
was stopped, and leaves averaged.npz, the moving average of the weights with batch norm folded.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

# oneDNN's convolutions are faster here, also where TensorFlow does not choose them by itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf
from fold import folded_arrays

from keras_deeplab.data.augment import FILL, photometric
from keras_deeplab.data.images import read_image
from keras_deeplab.data.masks import read_mask
from keras_deeplab.inference.scores import fit_image, fitted_size
from keras_deeplab.layers.resize_bilinear import ResizeBilinear
from keras_deeplab.metrics import confusion_matrix, mean_iou
from keras_deeplab.models import build_model
from keras_deeplab.optimizers import LayerwiseAdam, PolyDecay
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.weights.imagenet_backbones import load_imagenet
from keras_deeplab.weights.load import named_weights

NETWORK = "deeplab_v3_plus_efficientnet_lite0"
CLASSES = len(DATASETS["voc"].class_names)
VOID = 255
# Longer side of a photo at scale 1, pixels.
SIDE = 385
# Share of the mask in the target, where there is one; the rest is the teacher's.
MASK_SHARE = 0.7
_COLUMNS = ("stage", "step", "loss", "images_per_second", "mean_iou_masks", "mean_iou_teacher")
_STRIDE_16 = "block_10_add"
_HEAD = ("aspp", "decoder", "classifier")
# The body's batch norm is folded, which is fast; so nothing takes the size of a step back.
_BODY = rf"^(?!{'|'.join(_HEAD)})"


@dataclass(frozen=True)
class Stage:
    """A part of the training, with an optimizer of its own.

    Attributes:
        steps: Batches.
        output_stride: The network's.
        stride: Of the scores that learn: 16, ASPP's, or 4, the decoder's.
        crop: Side of the crops, pixels.
        scales: Range, per `SIDE`.
        frozen: Layers that do not learn.
        multipliers: Factors on the learning rate.
    """

    steps: int
    output_stride: int
    stride: int
    crop: int
    scales: tuple[float, float]
    frozen: str
    multipliers: Mapping[str, float]


# Lines and textures are the same in every photo, and gradients of depthwise kernels cost much and
# change little: both stay ImageNet's. In smaller crops the wide branches of ASPP see nothing but
# padding, and learn nothing.
STAGES = (
    Stage(
        5400, 32, 16, 257, (0.5, 1.6), r"^(stem|block_[0-4]_|block_\d+_depthwise$)", {_BODY: 0.1}
    ),
    Stage(1200, 16, 4, 257, (0.5, 1.6), "^(stem|block_)", {"^aspp": 0.2}),
)


class Photos:
    """All photos, masks and soft labels in memory."""

    def __init__(self, cache: pathlib.Path, split: str) -> None:
        rows = json.loads((cache / "photos.json").read_text())
        chosen = [number for number, row in enumerate(rows) if row[3] == split]
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


def batches(photos: Photos, stage: Stage, *, batch: int, seed: tuple[int, int]) -> tf.data.Dataset:
    """Returns an endless stream of (images, targets).

    A target sums to the share of its cell, ``stage.stride`` pixels wide, that lies in the photo.
    """
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
        targets = share * real + (1 - share) * soft
        if stage.stride > 4:
            side = stage.stride // 4
            targets = tf.nn.avg_pool2d(targets[None], side + 1, side, "SAME")[0]
        return image, targets

    indices = tf.data.Dataset.from_generator(draw, output_types=(tf.int32, tf.int32))
    indices = indices.map(lambda index, key: (tf.ensure_shape(index, ()), tf.ensure_shape(key, ())))
    varied = indices.map(vary, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return varied.batch(batch, drop_remainder=True).prefetch(4)


class Network:
    """The network on ImageNet's weights, and its scores by stride."""

    def __init__(self, stage: Stage) -> None:
        build = partial(
            build_model,
            DEEPLABS[NETWORK],
            class_names=DATASETS["voc"].class_names,
            output_stride=stage.output_stride,
            preprocessing="tf",
            align_corners=True,
        )
        normalised = build()
        load_imagenet(normalised, "efficientnet_lite0")
        imagenet = folded_arrays(normalised)
        self.model = build(batch_norm="folded", head_batch_norm="trainable")
        for name, variable in named_weights(self.model).items():
            if not name.startswith(_HEAD):
                variable.assign(imagenet[name])
        for layer in self.model.layers:
            if re.search(stage.frozen, layer.name):
                layer.trainable = False
        coarse = self.model.get_layer("aspp_dropout").output
        coarse = keras.layers.Conv2D(CLASSES, 1, name="aspp_classifier")(coarse)
        coarse = ResizeBilinear(align_corners=True)(
            [coarse, self.model.get_layer(_STRIDE_16).output]
        )
        fine = self.model.get_layer("classifier").output
        self.scores = {
            16: keras.Model(self.model.input, coarse),
            4: keras.Model(self.model.input, fine),
        }

    @property
    def variables(self) -> list[Any]:
        return [*self.model.variables, *self.scores[16].get_layer("aspp_classifier").variables]


class Run:
    """A network, its average, and how far they are: stage, step in it, optimizer."""

    def __init__(self, folder: pathlib.Path, *, steps: list[int], learning_rate: float) -> None:
        self.folder, self.steps, self.learning_rate = folder, steps, learning_rate
        self.averaged: Network | None = None
        self.path = folder / "checkpoint.npz"
        if not self.path.exists():
            self.enter(0)
            return
        with np.load(self.path) as file:
            (number, step), *arrays = (file[name] for name in file.files)
        self.enter(int(number))
        self.step = int(step)
        for variable, array in zip(self._variables(), arrays, strict=True):
            variable.assign(array)

    def enter(self, number: int) -> None:
        """Begins a stage, from the averaged weights."""
        self.number, self.step = number, 0
        stage, steps = STAGES[number], self.steps[number]
        before = self.averaged
        self.network, self.averaged = (Network(stage) for _ in range(2))
        if before is not None:
            for network in (self.network, self.averaged):
                for variable, mean in zip(network.variables, before.variables, strict=True):
                    variable.assign(mean)
        self.scores, self.means = (n.scores[stage.stride] for n in (self.network, self.averaged))
        self.optimizer = LayerwiseAdam(
            PolyDecay(self.learning_rate, steps, warmup_steps=min(100, steps // 10)),
            multipliers=stage.multipliers,
            weight_decay=1e-2,
        )
        self.optimizer.build(self.scores.trainable_variables)

    def _variables(self) -> list[Any]:
        return [*self.network.variables, *self.averaged.variables, *self.optimizer.variables]

    def save(self) -> None:
        partial = self.path.with_suffix(".part")
        with partial.open("wb") as file:
            arrays = [np.asarray(variable) for variable in self._variables()]
            np.savez(file, np.array([self.number, self.step]), *arrays)
        partial.replace(self.path)
        np.savez(self.folder / "averaged.npz", **folded_arrays(self.averaged.model))

    def train_step(self) -> Any:
        """Returns a compiled function of one step, from images and targets to the loss."""
        pairs = [
            (mean, value)
            for mean, value in zip(self.means.weights, self.scores.weights, strict=True)
            if value.trainable or "moving" in value.path
        ]

        @tf.function(reduce_retracing=True, jit_compile=False)
        def step(images: tf.Tensor, targets: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = self.scores(images, training=True)
                # TensorFlow's cross-entropy has a gradient where targets are 0.
                likely = tf.reduce_sum(targets * tf.nn.log_softmax(logits))
                loss = -likely / tf.reduce_sum(targets)
            variables = self.scores.trainable_variables
            gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 5.0)
            self.optimizer.apply(gradients, variables)
            for mean, value in pairs:
                mean.assign(kept * mean + (1 - kept) * value)
            return loss

        return step


def measure(scores: keras.Model, photos: Photos, *, stride: int, most: int) -> tuple[float, float]:
    """Returns mean IoU against masks, and agreement with the teacher where there is none."""
    answer = tf.function(lambda image: tf.argmax(scores(image, training=False), -1))
    points = (SIDE - 1) // stride + 1
    counts = {True: np.zeros((CLASSES, CLASSES)), False: np.zeros((CLASSES, CLASSES))}
    left = {True: most, False: most}
    for image, mask, soft in zip(photos.images, photos.masks, photos.teacher, strict=True):
        real = mask is not None
        if left[real] == 0:
            continue
        left[real] -= 1
        labels = answer(fit_image(image, (SIDE, SIDE))[None].astype("float32")).numpy()[0]
        height, width = ((np.array(fitted_size(image.shape[:2], (SIDE, SIDE))) - 1) // stride) + 1
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
    steps = options.steps or [stage.steps for stage in STAGES]
    run = Run(options.out, steps=steps, learning_rate=options.learning_rate)
    photos, held_out = (Photos(options.cache, split) for split in ("train", "held_out"))
    print(f"{len(photos.images)} photos, {len(held_out.images)} held out", flush=True)
    while True:
        train_stage(run, photos, held_out, options)
        if run.number + 1 == len(STAGES):
            break
        run.enter(run.number + 1)


def train_stage(run: Run, photos: Photos, held_out: Photos, options: argparse.Namespace) -> None:
    stage, end = STAGES[run.number], run.steps[run.number]
    step, losses, began = run.train_step(), [], time.time()
    stream = batches(photos, stage, batch=options.batch, seed=(run.number, run.step))
    with (options.out / "log.csv").open("a", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            log.writerow(_COLUMNS)
        for images, targets in stream.take(end - run.step):
            kept = min(0.998, (1 + run.step) / (10 + run.step))
            losses.append(step(images, targets, tf.constant(kept, tf.float32)))
            run.step += 1
            if run.step % 50 and run.step != end:
                continue
            speed = options.batch * len(losses) / (time.time() - began)
            loss = float(np.mean(losses))
            print(f"{run.number}: {run.step}/{end} loss {loss:.4f} {speed:.1f}/s", flush=True)
            ious: tuple[Any, Any] = ("", "")
            if run.step % options.measure_every == 0 or run.step == end:
                run.save()
                ious = measure(run.means, held_out, stride=stage.stride, most=150)
                print(f"  masks {ious[0]:.4f} teacher {ious[1]:.4f}", flush=True)
            log.writerow([run.number, run.step, f"{loss:.5f}", f"{speed:.2f}", *ious])
            file.flush()
            losses, began = [], time.time()


if __name__ == "__main__":
    main()
