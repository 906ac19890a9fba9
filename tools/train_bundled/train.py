"""Trains the network that the package carries, from the parts of `parts.py`, with JAX.

    python tools/train_bundled/train.py --parts PARTS --out RUN --minutes 10

DeepLab v3 on MobileNetV2 starts from the published network and learns from real masks, from the
published network's soft labels of whole photos, and from what image-level labels rule out. It needs
JAX, NumPy and Pillow only. Parts may arrive while it runs. With each line of log.csv it writes
averaged_STEP.npz, the moving average of the weights.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import json
import math
import pathlib
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from network import Weights, scores
from PIL import Image
from targets import CLASSES, corrected, plain_frames

VOID, GREY = 255, 127.5
# Longer side of a photo at scale 1, and side of the crops, pixels. Smaller crops cost accuracy: the
# image-level features are those of a whole photo.
SIDE = 513
# Side of the square that holds a photo in memory, pixels.
ROOM = 400
# Targets lie on every eighth pixel.
STRIDE = 8
# The teacher's answers lie on a grid from corner to corner of the photo.
GRID = 49
# Side of the photo for each of the teacher's looks at it, and whether mirrored.
LOOKS = ((385, False), (513, True), (641, False), (769, True))
# Photos that the teacher looks at together.
TOGETHER = 64
SCALES = (0.6, 1.5)
# Share of crops that are four small crops side by side, and of plain frames.
MOSAICS, FRAMES = 0.2, 0.015
# Share of the mask in the target, where there is one; the rest is the teacher's.
MASK_SHARE = 0.8
# How much more often a photo with a mask is drawn.
MASKED = 4.0
# Gradients stop after this many blocks: the published features near to the pixels are good.
FROZEN = 6
# Of the learning rate, for all but the head: batch norm is folded, so nothing compensates for the
# size of a step.
BODY = 0.3
_HEAD = ("aspp", "classifier")
_COLUMNS = ("step", "photos", "seconds", "mean_iou_masks", "denied", "missed", "loss")

Batch = tuple[jax.Array, ...]


def hat(positions: jax.Array, length: jax.Array | int, room: int) -> jax.Array:
    """Returns weights (points, room) of linear interpolation at positions of a row of pixels."""
    positions = jnp.clip(positions, 0, length - 1)
    return jnp.maximum(0, 1 - jnp.abs(positions[:, None] - jnp.arange(room)))


def inside(rows: jax.Array, columns: jax.Array, size: jax.Array) -> jax.Array:
    """Returns which of the points (rows, columns) lie in the photo."""
    within = [
        (where > -0.5) & (where < length - 0.5)
        for where, length in zip((rows, columns), size, strict=True)
    ]
    return within[0][:, None, None] & within[1][None, :, None]


def whole(size: jax.Array, side: int, mirrored: bool = False) -> tuple[jax.Array, jax.Array]:
    """Returns the rows and columns of a photo that a square sees which it fits from corner."""
    where = jnp.arange(side) * (size.max() - 1) / (side - 1)
    return where, size[1] - 1 - where if mirrored else where


def cut(image: jax.Array, size: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Returns a photo's colours at rows and columns; grey outside."""
    vertical, horizontal = hat(rows, size[0], ROOM), hat(columns, size[1], ROOM)
    colours = jnp.einsum("yh,hwc,xw->yxc", vertical, image.astype(jnp.float32), horizontal)
    return jnp.where(inside(rows, columns, size), colours, GREY)


def resized(logits: jax.Array, side: int) -> jax.Array:
    """Returns logits at points from corner to corner."""
    weights = hat(jnp.linspace(0, logits.shape[1] - 1, side), logits.shape[1], logits.shape[1])
    return jnp.einsum("yh,bhwc,xw->byxc", weights, logits, weights)


@functools.partial(jax.jit, static_argnums=(3, 4))
def look(
    weights: Weights, images: jax.Array, sizes: jax.Array, side: int, mirrored: bool
) -> jax.Array:
    """Returns probabilities of whole photos, (batch, GRID, GRID, classes)."""

    def seen(image: jax.Array, size: jax.Array) -> jax.Array:
        return cut(image, size, *whole(size, side, mirrored))

    def on_grid(probabilities: jax.Array, size: jax.Array) -> jax.Array:
        points = probabilities.shape[0]
        ends = (size - 1) / (size.max() - 1) * (points - 1)
        weights = [hat(jnp.linspace(0, end, GRID), points, points) for end in ends]
        grid = jnp.einsum("yh,hwc,xw->yxc", weights[0], probabilities, weights[1])
        return grid[:, ::-1] if mirrored else grid

    logits = scores(weights, jax.vmap(seen)(images, sizes))
    return jax.vmap(on_grid)(jax.nn.softmax(logits), sizes)


@jax.jit
def answers(weights: Weights, images: jax.Array, sizes: jax.Array) -> jax.Array:
    """Returns labels of whole photos at every eighth pixel; VOID outside of the photo."""
    points = (SIDE - 1) // STRIDE + 1

    def photo(image: jax.Array, size: jax.Array) -> jax.Array:
        return cut(image, size, *whole(size, SIDE))

    def known(size: jax.Array) -> jax.Array:
        return inside(*(where[::STRIDE] for where in whole(size, SIDE)), size)[..., 0]

    labels = resized(scores(weights, jax.vmap(photo)(images, sizes)), points).argmax(-1)
    return jnp.where(jax.vmap(known)(sizes), labels, VOID)


def crops(key: jax.Array, side: int, photos: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    """Returns random crops of photos, and targets (batch, points, points, classes).

    A target sums to 1 where something is known, and to 0 elsewhere.
    """

    def one(
        key: jax.Array, image: jax.Array, size: jax.Array, soft: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key, 5)
        scale = jnp.exp(jax.random.uniform(keys[0], (), jnp.float32, *map(math.log, SCALES)))
        aspect = jnp.exp(jax.random.uniform(keys[1], (2,), jnp.float32, -0.08, 0.08))
        extent = aspect * (side - 1) * (size.max() / SIDE) / scale
        # A crop larger than the photo lies around it.
        corner = jax.random.uniform(keys[2], (2,)) * (size - 1 - extent)
        rows, columns = (corner[i] + extent[i] * jnp.arange(side) / (side - 1) for i in (0, 1))
        columns = jnp.where(jax.random.bernoulli(keys[3]), columns, columns[::-1])
        colours = varied(keys[4], cut(image, size, rows, columns))
        colours = jnp.where(inside(rows, columns, size), colours, GREY)
        rows, columns = rows[::STRIDE], columns[::STRIDE]
        nearest = [
            jnp.clip(jnp.round(where).astype(int), 0, length - 1)
            for where, length in zip((rows, columns), size, strict=True)
        ]
        real = jax.nn.one_hot(mask[nearest[0]][:, nearest[1]], CLASSES)
        weights = [
            hat(where / (length - 1) * (GRID - 1), GRID, GRID)
            for where, length in zip((rows, columns), size, strict=True)
        ]
        soft = jnp.einsum("yh,hwc,xw->yxc", weights[0], soft.astype(jnp.float32), weights[1])
        # Where the teacher is silent, the mask counts in full.
        heard = soft.sum(-1, keepdims=True) > 127
        soft = heard * soft / jnp.maximum(soft.sum(-1, keepdims=True), 1)
        known = real.sum(-1, keepdims=True)
        share = known * (MASK_SHARE + (1 - MASK_SHARE) * ~heard)
        return colours, inside(rows, columns, size) * (share * real + (1 - share) * soft)

    return jax.vmap(one)(jax.random.split(key, len(photos[0])), *photos)


def varied(key: jax.Array, image: jax.Array) -> jax.Array:
    """Changes brightness, contrast, saturation and hue at random."""
    draws = jax.random.uniform(key, (4,), minval=-1, maxval=1)
    image = image + 32 * draws[0]
    mean = image.mean((0, 1))
    image = mean + (image - mean) * (1 + 0.3 * draws[1])
    grey = image @ jnp.array([0.299, 0.587, 0.114])[:, None]
    image = grey + (image - grey) * (1 + 0.3 * draws[2])
    # A rotation of the colours around the grey axis.
    angle = 0.2 * draws[3]
    cross = jnp.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = jnp.eye(3) * jnp.cos(angle) + (1 - jnp.cos(angle)) / 3 + jnp.sin(angle) * cross
    return jnp.clip(image @ turn, 0, 255)


def mosaic(small: jax.Array) -> jax.Array:
    """Puts four crops into one, each without the row and column that the next one begins with."""
    a, b, c, d = (small[number::4] for number in range(4))
    top = jnp.concatenate([a[:, :-1, :-1], b[:, :-1]], 2)
    return jnp.concatenate([top, jnp.concatenate([c[:, :, :-1], d], 2)], 1)


@functools.partial(jax.jit, donate_argnums=0)
def train_step(
    state: dict[str, Any], key: jax.Array, rate: jax.Array, large: Batch, small: Batch
) -> tuple[dict[str, Any], jax.Array]:
    """Makes one step of AdamW on crops of photos; returns the state and the loss."""
    keys = jax.random.split(key)
    image, target = crops(keys[0], SIDE, large)
    small_image, small_target = crops(keys[1], SIDE // 2 + 1, small)
    image = jnp.concatenate([image, mosaic(small_image)])
    target = jnp.concatenate([target, mosaic(small_target)])

    def loss_of(weights: Weights) -> jax.Array:
        logits = resized(scores(weights, image, frozen=FROZEN), target.shape[1])
        return -(target * jax.nn.log_softmax(logits)).sum() / target.sum()

    loss, gradients = jax.value_and_grad(loss_of)(state["weights"])
    norm = jnp.sqrt(sum((g**2).sum() for g in gradients.values()))
    step = state["step"] + 1
    new: dict[str, Any] = {"step": step, "weights": {}, "first": {}, "second": {}, "averaged": {}}
    kept = jnp.minimum(0.999, (1 + step) / (10 + step))
    for name, value in state["weights"].items():
        gradient = gradients[name] * jnp.minimum(1, 2 / norm)
        first = 0.9 * state["first"][name] + 0.1 * gradient
        second = 0.999 * state["second"][name] + 0.001 * gradient**2
        change = first / (1 - 0.9**step) / (jnp.sqrt(second / (1 - 0.999**step)) + 1e-8)
        # Frozen weights have no gradient, and must not decay.
        decay = 1e-2 * value * (second.sum() > 0) * name.endswith("kernel")
        speed = rate * (1 if name.startswith(_HEAD) else BODY)
        value = value - speed * (change + decay)
        new["weights"][name], new["first"][name], new["second"][name] = value, first, second
        new["averaged"][name] = kept * state["averaged"][name] + (1 - kept) * value
    return new, loss


class Photos:
    """Photos with targets in memory. They arrive while training goes on."""

    def __init__(self, teacher: Weights, room: int) -> None:
        self.teacher, self.rows = teacher, []
        self.images = np.empty((room, ROOM, ROOM, 3), "uint8")
        self.masks = np.empty((room, ROOM, ROOM), "uint8")
        self.soft = np.empty((room, GRID, GRID, CLASSES), "uint8")
        self.sizes = np.ones((room, 2), "int32")
        self.chances = np.ones(0)
        self.seen: set[pathlib.Path] = set()
        # Frames of one colour, noise and gradients show nothing.
        frames = [Image.fromarray(frame) for frame in plain_frames(64)]
        row = {"split": "frame", "mask": None, "present": [], "absent": list(range(1, CLASSES))}
        self._add([(row, frame, Image.new("L", frame.size)) for frame in frames])

    def take(self, folder: pathlib.Path) -> None:
        """Reads the parts that came since."""
        for part in sorted(folder.glob("part_*.zip")):
            if part not in self.seen:
                self.seen.add(part)
                with zipfile.ZipFile(part) as archive:
                    files = {name: archive.read(name) for name in archive.namelist()}
                rows = json.loads(files.pop("rows.json"))
                for start in range(0, len(rows), 512):
                    self._add([(row, *_opened(files, row)) for row in rows[start : start + 512]])
                print(f"{part.name}: {len(self.rows)} photos", flush=True)

    def _add(self, photos: list[tuple[dict[str, Any], Any, Any]]) -> None:
        first, stop = len(self.rows), len(self.rows) + len(photos)
        if stop > len(self.images):
            raise ValueError(f"--room must be at least {stop}. Received: {len(self.images)}.")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._keep, range(first, stop), photos))
            for start in range(first, stop, TOGETHER):
                # Of one size, which compiles once; what is too much is not used.
                part = np.minimum(np.arange(start, start + TOGETHER), stop - 1)
                seen = functools.partial(look, self.teacher, self.images[part], self.sizes[part])
                # In threads, which compile at the same time.
                looks = pool.map(seen, *zip(*LOOKS, strict=True))
                mean = np.asarray(sum(looks)) / len(LOOKS)
                rows = [row for row, *_ in photos[start - first :][:TOGETHER]]
                list(pool.map(self._correct, part, mean, rows))
        self.rows += [row for row, *_ in photos]
        self.chances = self._chances()

    def _keep(self, index: int, photo: tuple[dict[str, Any], Any, Any]) -> None:
        _, image, mask = photo
        self.sizes[index] = image.height, image.width
        self.images[index, : image.height, : image.width] = np.asarray(image.convert("RGB"))
        self.masks[index] = VOID
        if mask is not None:
            self.masks[index, : image.height, : image.width] = np.asarray(mask)

    def _correct(self, index: int, soft: np.ndarray, row: dict[str, Any]) -> None:
        soft = corrected(soft, present=row["present"], absent=row["absent"])
        self.soft[index] = np.round(soft * 255)

    def _chances(self) -> np.ndarray:
        """Returns how often to draw each photo: those of rare classes more often.

        Reference:
            Repeat factors of Gupta et al., arXiv:1908.03195, appendix B.
        """
        splits = np.array([row["split"] for row in self.rows])
        present = (self.soft[: len(splits), ::4, ::4] > 127).mean((1, 2)) > 0.01
        factors = np.sqrt(0.05 / np.clip(present.mean(0), 0.005, 0.05))
        factors = np.where(present, np.maximum(factors, 1), 1).max(1)
        factors *= np.where([bool(row["mask"]) for row in self.rows], MASKED, 1)
        factors *= splits == "train"
        frames = splits == "frame"
        factors[frames] = FRAMES / frames.sum() * max(factors.sum(), 1)
        return factors / factors.sum()

    def batch(self, seed: int, count: int) -> Batch:
        """Returns images, sizes, soft labels and masks of random photos."""
        chances = self.chances
        drawn = np.random.default_rng(seed).choice(len(chances), count, p=chances)
        arrays = self.images, self.sizes, self.soft, self.masks
        return tuple(jax.device_put(array[drawn]) for array in arrays)

    def measure(self, weights: Weights) -> tuple[float, float, float]:
        """Returns mean IoU against masks of photos that are held out; of those with image-level
        labels, the share that shows an absent class on over 1 % of the area, and the share that
        lacks one that is present.
        """  # noqa: D205
        chosen = [i for i, row in enumerate(self.rows) if row["split"] == "held_out"]
        counts, denied, missed = np.zeros((CLASSES, CLASSES)), [], []
        for start in range(0, len(chosen), 32):
            part = (chosen[start:] + chosen[:1] * 32)[:32]
            labels = np.asarray(answers(weights, self.images[part], self.sizes[part]))
            for index, seen in zip(chosen[start : start + 32], labels, strict=False):
                row, size = self.rows[index], self.sizes[index]
                if row["mask"]:
                    where = np.arange(seen.shape[0]) * STRIDE * (size.max() - 1) / (SIDE - 1)
                    rows, columns = (
                        np.minimum(where.round().astype(int), length - 1) for length in size
                    )
                    truth = self.masks[index][rows][:, columns]
                    known = (seen != VOID) & (truth != VOID)
                    np.add.at(counts, (truth[known], seen[known]), 1)
                else:
                    shares = np.bincount(seen[seen != VOID], minlength=CLASSES)
                    shares = shares / shares.sum()
                    denied.append((shares[row["absent"]] > 0.01).any())
                    missed.append((shares[row["present"]] == 0).any())
        either = counts.sum(0) + counts.sum(1) - counts.diagonal()
        iou = counts.diagonal()[either > 0] / either[either > 0]
        return float(iou.mean()), float(np.mean(denied)), float(np.mean(missed))


def _opened(files: dict[str, bytes], row: dict[str, Any]) -> tuple[Any, Any]:
    """Returns a photo and its mask, which are decoded when they are used."""
    mask = row["mask"] and Image.open(io.BytesIO(files[row["mask"]]))
    return Image.open(io.BytesIO(files[row["image"]])), mask or None


def batches(photos: Photos, large: int, small: int) -> Iterator[tuple[Batch, Batch]]:
    """Yields batches, made a few steps ahead."""
    with ThreadPoolExecutor(4) as pool:
        waiting: deque[Any] = deque()
        for step in range(10**9):
            drawn = pool.submit(photos.batch, 2 * step, large)
            waiting.append((drawn, pool.submit(photos.batch, 2 * step + 1, small)))
            if len(waiting) > 6:
                first, second = waiting.popleft()
                yield first.result(), second.result()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=10, help="of training")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--measure-every", type=float, default=60, help="seconds")
    parser.add_argument("--begin-with", type=int, default=0, help="photos to wait for")
    parser.add_argument("--room", type=int, default=50_000, help="photos at most")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    with np.load(options.parts / "start.npz") as file:
        start = {name: jnp.asarray(file[name]) for name in file.files}
    photos = Photos(start, options.room)
    mosaics = round(options.batch * MOSAICS)
    stream = batches(photos, options.batch - mosaics, 4 * mosaics)
    state = begun(start)
    ended = threading.Event()

    def arrive() -> None:
        while not ended.wait(1):
            photos.take(options.parts)

    photos.take(options.parts)
    if not photos.seen:
        raise SystemExit(f"--parts must hold part_00.zip. Received: {options.parts}.")
    threading.Thread(target=arrive, daemon=True).start()
    inputs = jax.random.key(0), np.float32(0), *next(stream)
    step = train_step.lower(state, *inputs).compile()
    while len(photos.rows) < options.begin_with:
        time.sleep(0.5)
    print(f"training begins with {len(photos.rows)} photos", flush=True)
    began = measured = time.time()
    losses: deque[jax.Array] = deque()
    total = [0.0, 0]
    with (options.out / "log.csv").open("w", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        log.writerow(_COLUMNS)
        for number, photos_drawn in enumerate(stream):
            done = min(1, (time.time() - began) / (options.minutes * 60))
            if number == 0 or done == 1 or time.time() - measured > options.measure_every:
                mean = total[0] / max(1, total[1])
                numbers = (*photos.measure(state["averaged"]), mean)
                row = number, len(photos.rows), round(time.time() - began)
                log.writerow([*row, *(f"{value:.4f}" for value in numbers)])
                file.flush()
                print(dict(zip(_COLUMNS, (*row, *numbers), strict=True)), flush=True)
                np.savez(options.out / f"averaged_{number}.npz", **state["averaged"])
                measured, total = time.time(), [0.0, 0]
            if done == 1:
                break
            rate = options.learning_rate * min(1, (number + 1) / 200)
            rate *= (1 + math.cos(math.pi * done)) / 2
            state, loss = step(state, jax.random.key(number), np.float32(rate), *photos_drawn)
            losses.append(loss)
            if len(losses) > 2:
                # Waits for an earlier step, so that the queue of the device stays short.
                total = [total[0] + float(losses.popleft()), total[1] + 1]
    ended.set()


def begun(start: Weights) -> dict[str, Any]:
    """Returns the state before the first step."""
    zeros = {name: jnp.zeros_like(value) for name, value in start.items()}
    parts = {"weights": start, "averaged": start, "first": zeros, "second": zeros}
    copies = {name: jax.tree.map(jnp.copy, tree) for name, tree in parts.items()}
    return {"step": jnp.int32(0)} | copies


if __name__ == "__main__":
    main()
