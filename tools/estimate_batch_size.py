"""Which batch fits into a memory: a training step's peak, measured for two batches, extended.

    python tools/estimate_batch_size.py [--size 513] [--networks NAME ...] [--json FILE]

Each step runs in a process of its own, on the CPU, in float32; the memory per image is the
difference of the two peaks. What the weights, gradients and momentum take is computed. A tenth of
the memory is left free. Mixed precision needs about half per image.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

NETWORKS = {
    "v3, MobileNetV2": ("v3", "mobilenet_v2", 16),
    "v3, MobileNetV3-Large": ("v3", "mobilenet_v3_large", 16),
    "v3+, EfficientNet-Lite0": ("v3+", "efficientnet_lite0", 16),
    "v3+, ResNet-50": ("v3+", "resnet50_keras", 16),
    "v3, ResNet-50": ("v3", "resnet50", 8),
    "v3, ResNet-101": ("v3", "resnet101", 8),
}
BATCHES = (1, 2)
MEMORIES_GIB = (8, 16, 24, 80)


def step(name: str, size: int, batch: int) -> None:
    """Trains once and prints the peak of memory and the number of weights."""
    import keras
    import numpy as np

    from keras_deeplab import DeepLab
    from keras_deeplab.losses import CrossEntropy

    version, backbone, output_stride = NETWORKS[name]
    model = DeepLab(version=version, backbone=backbone, output_stride=output_stride)
    model.compile(keras.optimizers.SGD(1e-3, 0.9), CrossEntropy(), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    images = np.zeros((batch, size, size, 3), "float32")
    model.train_on_batch(images, np.zeros((batch, size, size), "int32"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10  # Linux counts in KiB
    print(json.dumps({"peak": peak, "parameters": model.count_params()}))


def estimate(name: str, size: int) -> dict[str, float | dict[str, int]]:
    """Returns MiB per image and fixed, and the largest batch for each memory."""
    peaks = []
    for batch in BATCHES:
        command = [sys.executable, __file__, "--step", name, str(size), str(batch)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        reply = json.loads(output.splitlines()[-1])
        peaks.append(reply["peak"])
    per_image = (peaks[1] - peaks[0]) / (BATCHES[1] - BATCHES[0])
    fixed = 3 * 4 * reply["parameters"]  # weights, gradients and momentum in float32
    batches = {
        f"{gib} GB": max(0, int((0.9 * gib * 2**30 - fixed) / per_image)) for gib in MEMORIES_GIB
    }
    return {"mib_per_image": per_image / 2**20, "mib_fixed": fixed / 2**20, "batch": batches}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=513, help="side of the square images")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, size, batch = options.step
        return step(name, int(size), int(batch))
    results = {}
    for name in options.networks:
        results[name] = estimate(name, options.size)
        print(name, json.dumps(results[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
