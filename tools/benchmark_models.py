"""Forward passes against torchvision's and keras-hub's networks: same image, same threads.

    python tools/benchmark_models.py [--size 513] [--threads 2] [--repeats 7] [--json FILE]

Contenders of a pair run in turn in one process, compiled as their own users would: ours and
keras-hub's by `predict_on_batch`, torchvision's in inference mode. torchvision and keras-hub are
skipped where they are not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], np.ndarray]


def ours(version: str, backbone: str, output_stride: int) -> Run:
    from keras_deeplab import DeepLab

    model = DeepLab(version=version, backbone=backbone, output_stride=output_stride)
    return lambda image: np.asarray(model.predict_on_batch(image))


def torchvision(name: str) -> Run:
    import torch

    # The wheel from PyPI wants its compiled operators, which these networks do not use.
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            schema = "(Tensor d, Tensor s, float t) -> Tensor"
            torch.library.define(f"torchvision::{operator}", schema)
    from torchvision.models import segmentation

    model = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21).eval()

    def run(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(image.transpose(0, 3, 1, 2))
            return model(x)["out"].numpy()

    return run


def keras_hub() -> Run:
    import keras_hub

    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        projection_filters=48,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
    )
    model = keras_hub.models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=21)
    return lambda image: np.asarray(model.predict_on_batch(image))


PAIRS: dict[str, tuple[Callable[[], Run], Callable[[], Run]]] = {
    "v3 ResNet-50, output stride 8, against torchvision": (
        lambda: ours("v3", "resnet50", 8),
        lambda: torchvision("deeplabv3_resnet50"),
    ),
    "v3 ResNet-101, output stride 8, against torchvision": (
        lambda: ours("v3", "resnet101", 8),
        lambda: torchvision("deeplabv3_resnet101"),
    ),
    "v3+ ResNet-50, output stride 32, against keras-hub": (
        lambda: ours("v3+", "resnet50_keras", 32),
        keras_hub,
    ),
}


def measure(run: Run, image: np.ndarray) -> float:
    start = time.perf_counter()
    run(image)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="side of the square image")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    try:
        import torch

        torch.set_num_threads(arguments.threads)
    except ImportError:
        pass
    shape = (1, arguments.size, arguments.size, 3)
    image = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    result = {}
    for title, (build, build_peer) in PAIRS.items():
        try:
            runs = (build(), build_peer())
        except ImportError as error:
            print(f"skipped: {title} ({error})")
            continue
        for run in runs:
            run(image)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(arguments.repeats):
            for values, run in zip(seconds, runs, strict=True):
                values.append(measure(run, image))
        medians = [statistics.median(values) for values in seconds]
        minima = [min(values) for values in seconds]
        result[title] = {
            "ours_s": medians[0],
            "peer_s": medians[1],
            "ratio_of_medians": medians[0] / medians[1],
            "ratio_of_minima": minima[0] / minima[1],
        }
        print(
            f"{medians[0]:7.3f} s against {medians[1]:7.3f} s: ratio {medians[0] / medians[1]:.2f} "
            f"(of minima {minima[0] / minima[1]:.2f})  {title}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
