"""Training steps against PyTorch's networks: same shapes, same batch, same threads.

    python tools/benchmark_training.py [--networks NAME ...] [--size 256] [--threads 2]
        [--repeats 5] [--backend tensorflow|jax] [--dtype float32|bfloat16] [--json FILE]

A step is the forward pass, cross-entropy of full-size logits against integer labels without the
pixels of 255, the backward pass and SGD with momentum; ours by `train_on_batch`, and forward passes
by `predict_on_batch`. Each contender is a process of its own, so that peak memory is its own, and
the two of a pair take turns, step by step. What is not installed or fails is skipped. GPUs are used
with `--backend jax`, by the peer too.

The v3+ peer is that of segmentation_models_pytorch, but with our decoder's plain 3x3 convolutions
in place of its separable ones, and strides on 1x1 convolutions as in Keras' ResNet-50: then both
do the same multiply-adds. It takes sizes that are multiples of 16.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLASSES, IGNORED = 21, 255
FIGURES = ("first_s", "median_s", "min_s", "cpu_s", "images_per_s", "host_mib", "device_mib")
# Batch, our version, backbone and output stride, the peer.
NETWORKS = {
    "v3_resnet50": (4, "v3", "resnet50", 8, "deeplabv3_resnet50"),
    "v3_mobilenet_v3_large": (8, "v3", "mobilenet_v3_large", 16, "deeplabv3_mobilenet_v3_large"),
    "v3_plus_resnet50": (4, "v3+", "resnet50_keras", 16, "smp"),
    "published": (8, "v3", "mobilenet_v2", 16, ""),
    "bundled": (8, "v3+", "efficientnet_lite0", 16, ""),
}
# A training step, a forward pass, the parameters, and what waits for a GPU and returns peak bytes.
Contender = tuple[Callable[[], Any], Callable[[], Any], int, Callable[[], int | None]]


def ours(options: argparse.Namespace, images: Any, labels: Any) -> Contender:
    on_jax = options.backend == "jax"
    if on_jax:
        import jax
    else:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.set_visible_devices([], "GPU")
    import keras

    from keras_deeplab import DeepLab, losses

    if options.dtype == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    _, version, backbone, output_stride, _ = NETWORKS[options.networks[0]]
    model = DeepLab(version=version, backbone=backbone, output_stride=output_stride)
    # As `keras_deeplab.training` does: without XLA, JAX would run operation by operation.
    xla = "auto" if on_jax else False
    model.compile(keras.optimizers.SGD(1e-3, 0.9), losses.CrossEntropy(), jit_compile=xla)
    model.optimizer.build(model.trainable_variables)

    def train() -> float:
        return model.train_on_batch(images, labels)

    def settle() -> int | None:
        if not on_jax:
            return None
        jax.block_until_ready([variable.value for variable in model.variables])
        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")

    parameters = sum(int(keras.ops.size(variable)) for variable in model.trainable_variables)
    return train, lambda: model.predict_on_batch(images), parameters, settle


def torch_model(name: str) -> Any:
    import torch

    with contextlib.suppress(RuntimeError):
        import torchvision  # noqa: F401
    # The wheel from PyPI may want its compiled operators, which these networks do not use.
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            schema = "(Tensor d, Tensor s, float t) -> Tensor"
            torch.library.define(f"torchvision::{operator}", schema)
    from torchvision.models import segmentation

    if name != "smp":
        return getattr(segmentation, name)(weights_backbone=None, num_classes=CLASSES)
    import segmentation_models_pytorch as smp
    from torch.nn import BatchNorm2d, Conv2d, ReLU, Sequential

    aspp = dict(decoder_atrous_rates=(6, 12, 18), decoder_aspp_separable=False)
    model = smp.DeepLabV3Plus("resnet50", encoder_weights=None, classes=CLASSES, **aspp)
    model.decoder.aspp = model.decoder.aspp[:1]
    first, second = (Conv2d(n, 256, 3, padding=1, bias=False) for n in (48 + 256, 256))
    norms = BatchNorm2d(256), BatchNorm2d(256)
    model.decoder.block2 = Sequential(first, norms[0], ReLU(), second, norms[1], ReLU())
    for stage in (model.encoder.layer2, model.encoder.layer3):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


def peer(options: argparse.Namespace, images: Any, labels: Any) -> Contender:
    import torch

    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    device = "cuda" if options.backend == "jax" and torch.cuda.is_available() else "cpu"
    name = NETWORKS[options.networks[0]][-1]
    model = torch_model(name).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    criterion = torch.nn.CrossEntropyLoss(ignore_index=IGNORED)
    normalised = torch.from_numpy((images / 127.5 - 1).transpose(0, 3, 1, 2).copy())
    targets = torch.from_numpy(labels).long()

    def logits() -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=options.dtype == "bfloat16"):
            scores = model(normalised.to(device))
        return (scores if name == "smp" else scores["out"]).float()

    def train() -> float:
        optimizer.zero_grad()
        loss = criterion(logits(), targets.to(device))
        loss.backward()
        optimizer.step()
        return loss.item()

    def forward() -> None:
        if model.training:
            model.eval()
        with torch.inference_mode():
            logits().cpu()

    def settle() -> int | None:
        if device == "cpu":
            return None
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()

    return train, forward, sum(parameter.numel() for parameter in model.parameters()), settle


def serve(options: argparse.Namespace) -> None:
    """Runs in a child: answers each line of stdin, a task, with a line of JSON."""
    import numpy as np

    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What libraries print must not come between.
    rng, shape = np.random.default_rng(0), (NETWORKS[options.networks[0]][0], *[options.size] * 2)
    labels = np.where(rng.uniform(size=shape) < 0.05, IGNORED, rng.integers(CLASSES, size=shape))
    batch = rng.uniform(0, 255, (*shape, 3)).astype("float32"), labels.astype("int32")
    try:
        train, forward, parameters, settle = globals()[options.child](options, *batch)
        print(json.dumps({"parameters": parameters}), file=replies)
        for task in map(str.strip, sys.stdin):
            start, processor = time.perf_counter(), time.process_time()
            value, peak = (train if task == "train" else forward)(), settle()
            reply = {"s": time.perf_counter() - start, "cpu_s": time.process_time() - processor}
            reply["loss"] = float(value) if task == "train" else None
            reply["host_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # Linux
            reply["device_mib"] = None if peak is None else peak / 2**20
            print(json.dumps(reply), file=replies)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), file=replies)


def child(who: str, name: str, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Starts a contender; a process inherits its parent's peak memory, so this one stays small."""
    flags = [f"--{key}={getattr(options, key)}" for key in ("size", "threads", "backend", "dtype")]
    command = [sys.executable, __file__, f"--child={who}", f"--networks={name}", *flags]
    environment = {**os.environ, "KERAS_BACKEND": options.backend}
    # NPROC: the threads of XLA on a CPU. A GPU's memory is shared with the peer.
    environment |= {"NPROC": str(options.threads), "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.45"}
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return subprocess.Popen(command, env=environment, text=True, bufsize=1, **pipes)


def ask(process: subprocess.Popen[str], task: str = "") -> dict[str, Any]:
    """Returns the reply to a task; without one, what a contender says when it is built."""
    if task:
        print(task, file=process.stdin)
    line = process.stdout.readline()
    reply = json.loads(line) if line else {"error": f"ended with code {process.wait()}"}
    if "error" in reply:
        raise RuntimeError(reply["error"])
    return reply


def compare(name: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Runs the contenders of a network in turn and prints each figure of both and its ratio."""
    names = ("ours", "peer") if NETWORKS[name][-1] else ("ours",)
    children = {who: child(who, name, options) for who in names}
    replies: dict[tuple[str, str], list[dict[str, Any]]] = {}
    steps = 2 + options.repeats  # The first two are warm-up.
    for task in ("", *["train"] * steps, *["forward"] * steps):
        for who, process in list(children.items()):
            try:
                replies.setdefault((who, task), []).append(ask(process, task))
            except RuntimeError as error:
                print(f"skipped: {who} of {name}: {error}", flush=True)
                del children[who]
    for process in children.values():
        process.communicate()
    result: dict[str, dict[str, Any]] = {who: replies[who, ""][0] for who in children}
    sizes = " against ".join(f"{row['parameters']:,}" for row in result.values())
    print(f"{name}: {sizes} parameters")
    for task in ("train", "forward"):
        for who in children:
            first, _, *timed = replies[who, task]
            row = {**timed[-1], "first_s": first["s"], "min_s": min(x["s"] for x in timed)}
            result[who][task] = row
            row["median_s"] = statistics.median(x["s"] for x in timed)
            row["cpu_s"] = statistics.median(x["cpu_s"] for x in timed)
            row["images_per_s"] = NETWORKS[name][0] / row["median_s"]
        for key in FIGURES:
            values = [result[who][task][key] for who in children]
            if values and None not in values:
                ratio = f": ratio {values[0] / values[1]:.2f}" if len(values) == 2 else ""
                figures = " against ".join(f"{value:9.3f}" for value in values)
                print(f"  {figures}{ratio}  {task} {key}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--size", type=int, default=256, help="side of the square images")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--child", choices=("ours", "peer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return serve(options)
    results = {name: compare(name, options) for name in options.networks}
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
