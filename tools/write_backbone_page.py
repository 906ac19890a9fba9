"""Converts every network of keras.applications and keras-hub and writes docs/backbones.md.

    python tools/write_backbone_page.py [--names ResNet50 ...] [--json FILE]

Networks have random weights. Each one is converted to output strides 16 and 8, which compares the
features of a random image with those of the original network. Parameters and multiply-adds are of
the features at output stride 16 for an image of 513x513. With --names, the rows of other networks
are kept; --names alone writes the page. With --time, rows that exist are kept and get the CPU time
of a forward pass, as a part of that of ResNet-50, with which it takes turns (the smallest of each).
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_deeplab import atrous
from keras_deeplab.models.rewriting import rewrite
from keras_deeplab.presets.applications import FUNCTIONS, INPUT_SIZES

DOCS = Path(__file__).parents[1] / "docs"
SIZE = 513
OUTPUT_STRIDES = (8, 16)
REFERENCE = "ResNet50"
TIME = "The time is the CPU time of a forward pass, as a part of that of ResNet-50, where measured."
_RESNET_STAGES = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128, 256, 512],
    "stackwise_num_blocks": [3, 4, 6, 3],
    "stackwise_num_strides": [1, 2, 2, 2],
}
# One network of each family of keras-hub: class and arguments.
HUB: dict[str, tuple[str, dict[str, Any]]] = {
    "ResNet (50)": ("ResNetBackbone", {**_RESNET_STAGES, "block_type": "bottleneck_block"}),
    "ResNetV2 (18)": (
        "ResNetBackbone",
        {
            **_RESNET_STAGES,
            "stackwise_num_blocks": [2, 2, 2, 2],
            "block_type": "basic_block",
            "use_pre_activation": True,
        },
    ),
    "ResNet-vd (18)": (
        "ResNetBackbone",
        {
            **_RESNET_STAGES,
            "input_conv_filters": [32, 32, 64],
            "input_conv_kernel_sizes": [3, 3, 3],
            "stackwise_num_blocks": [2, 2, 2, 2],
            "block_type": "basic_block_vd",
        },
    ),
    "DenseNet (121)": ("DenseNetBackbone", {"stackwise_num_repeats": [6, 12, 24, 16]}),
    "EfficientNetV2 (S)": (
        "EfficientNetBackbone",
        {
            "stackwise_width_coefficients": [1.0] * 6,
            "stackwise_depth_coefficients": [1.0] * 6,
            "stackwise_kernel_sizes": [3] * 6,
            "stackwise_num_repeats": [2, 4, 4, 6, 9, 15],
            "stackwise_input_filters": [24, 24, 48, 64, 128, 160],
            "stackwise_output_filters": [24, 48, 64, 128, 160, 256],
            "stackwise_expansion_ratios": [1, 4, 4, 4, 6, 6],
            "stackwise_squeeze_and_excite_ratios": [0.0, 0.0, 0.0, 0.25, 0.25, 0.25],
            "stackwise_strides": [1, 2, 2, 2, 1, 2],
            "stackwise_block_types": ["fused"] * 3 + ["unfused"] * 3,
            "stackwise_force_input_filters": [0] * 6,
            "stackwise_nores_option": [False] * 6,
        },
    ),
    "VGG (16)": (
        "VGGBackbone",
        {
            "stackwise_num_repeats": [2, 2, 3, 3, 3],
            "stackwise_num_filters": [64, 128, 256, 512, 512],
            "image_shape": (None, None, 3),
        },
    ),
    "Xception": (
        "XceptionBackbone",
        {
            "stackwise_conv_filters": [[32, 64], [128, 128], [256, 256], [728, 728], [728, 728]],
            "stackwise_pooling": [False, True, True, True, False],
        },
    ),
    "CSPNet (DarkNet-53)": (
        "CSPNetBackbone",
        {
            "stem_filters": 32,
            "stem_kernel_size": 3,
            "stem_strides": 1,
            "stackwise_depth": [1, 2, 8, 8, 4],
            "stackwise_strides": [2] * 5,
            "stackwise_num_filters": [64, 128, 256, 512, 1024],
            "block_type": "dark_block",
            "stage_type": "dark",
        },
    ),
    "HGNetV2 (shallow)": (
        "HGNetV2Backbone",
        {
            "depths": [1, 1, 3, 1],
            "embedding_size": 32,
            "hidden_sizes": [128, 512, 1024, 2048],
            "stem_channels": [3, 32, 48],
            "hidden_act": "relu",
            "use_learnable_affine_block": False,
            "stackwise_stage_filters": [
                (48, 48, 128, 1, 6, 3),
                (128, 96, 512, 1, 6, 3),
                (512, 192, 1024, 3, 6, 5),
                (1024, 384, 2048, 1, 6, 5),
            ],
            "apply_downsample": [False, True, True, True],
            "use_lightweight_conv_block": [False, False, True, True],
            "image_shape": (None, None, 3),
        },
    ),
    "Swin (tiny)": (
        "SwinTransformerBackbone",
        {
            "image_shape": (224, 224, 3),
            "embed_dim": 96,
            "depths": (2, 2, 6, 2),
            "num_heads": (3, 6, 12, 24),
            "window_size": 7,
        },
    ),
    "MiT (B0)": (
        "MiTBackbone",
        {
            "layerwise_depths": [2, 2, 2, 2],
            "num_layers": 4,
            "layerwise_num_heads": [1, 2, 5, 8],
            "layerwise_sr_ratios": [8, 4, 2, 1],
            "hidden_dims": [32, 64, 160, 256],
            "max_drop_path_rate": 0.1,
            "layerwise_patch_sizes": [7, 3, 3, 3],
            "layerwise_strides": [4, 2, 2, 2],
            "image_shape": (224, 224, 3),
        },
    ),
    "ViT (tiny)": (
        "ViTBackbone",
        {
            "image_shape": (224, 224, 3),
            "patch_size": 16,
            "num_layers": 12,
            "num_heads": 3,
            "hidden_dim": 192,
            "mlp_dim": 768,
        },
    ),
}


def application(name: str) -> keras.Model:
    size = INPUT_SIZES.get(name, (None, None))
    return getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(*size, 3)
    )


def hub(name: str) -> keras.Model:
    import keras_hub

    class_name, arguments = HUB[name]
    return getattr(keras_hub.models, class_name)(**arguments)


def enliven(network: keras.Model) -> None:
    """Gives batch norm and layer scales values that let errors show."""
    rng = np.random.default_rng(0)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in layer.weights:
                center = variable.path.endswith(("beta", "moving_mean"))
                values = rng.normal(0, 0.3, variable.shape), rng.uniform(0.5, 1.5, variable.shape)
                variable.assign(values[not center])
        elif type(layer).__name__ == "LayerScale":
            layer.set_weights([rng.uniform(0.5, 1.5, x.shape) for x in layer.get_weights()])


def multiply_adds(model: keras.Model) -> int:
    """Counts the multiply-adds of convolutions and dense layers for the size of the input."""
    total = 0
    for layer in model.layers:
        positions = math.prod(layer.output.shape[1:-1]) if hasattr(layer, "output") else 0
        kernels = [w for w in layer.weights if w.path.endswith("kernel") and len(w.shape) > 1]
        total += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return total


def atrous_network(network: keras.Model) -> keras.Model:
    """Returns the features at output stride 16 of images of 513x513."""
    image = keras.Input((SIZE, SIZE, 3))
    outputs = rewrite(network, image, output_stride=16, check=False).outputs
    values = keras.tree.flatten(outputs)
    output = max(values, key=lambda value: max(axis.stride * axis.rate for axis in value.axes))
    return keras.Model(image, output.tensor)


def time_ratio(network: keras.Model, repeats: int = 3) -> float:
    """Returns the CPU time of a forward pass as a part of that of ResNet-50."""
    models = atrous_network(network), atrous_network(application(REFERENCE))
    x = np.random.default_rng(0).uniform(0, 255, (1, SIZE, SIZE, 3)).astype("float32")
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for model, times in zip(models, seconds, strict=True):
            start = time.process_time()
            np.asarray(model.predict_on_batch(x))
            times.append(time.process_time() - start)
    # The first pass is traced.
    ours, reference = (min(times[1:]) for times in seconds)
    return ours / reference


def convert(build: Callable[[], keras.Model]) -> dict[str, Any]:
    """Returns what became of a network at output strides 16 and 8."""
    keras.utils.set_random_seed(0)
    network = build()
    enliven(network)
    try:
        for stride in OUTPUT_STRIDES:
            atrous(network, stride)
    except ValueError as error:
        # The layer and the reason stand between these words.
        reason = str(error).partition("Received: ")[2].partition(" Use a model")[0]
        return {"refused": reason or str(error)}
    model = atrous_network(network)
    return {
        "output_strides": OUTPUT_STRIDES,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
    }


def page(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    text = (DOCS / "backbones.md").read_text(encoding="utf-8")
    head = text.partition("## Tables\n")[0]
    timed = any("time" in row for networks in rows.values() for row in networks.values())
    columns = ["network", "result", "parameters", "multiply-adds", *(["time"] if timed else [])]
    lines = [
        "## Tables\n",
        "Written by `python tools/write_backbone_page.py`, with random weights: parameters and "
        "multiply-adds of the features at\noutput stride 16 for one image of 513x513.",
        *([TIME] if timed else []),
    ]
    for source, networks in rows.items():
        if not networks:
            continue
        lines += [
            f"\n### {source}\n",
            f"| {' | '.join(columns)} |",
            "|---" * len(columns) + "|",
        ]
        for name, row in networks.items():
            cells = [name, f"refused: {row.get('refused')}", "", "", ""]
            if "refused" not in row:
                strides = " and ".join(map(str, sorted(row["output_strides"])))
                cells[1:] = [
                    f"converts, consistent at {strides}",
                    f"{row['parameters'] / 1e6:.1f} M",
                    f"{row['multiply_adds'] / 1e9:.1f} G",
                    f"{row['time']:.2f}" if "time" in row else "",
                ]
            lines.append(f"| {' | '.join(cells[: len(columns)])} |")
    return head + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", nargs="*", help="networks to convert; default: all")
    parser.add_argument("--json", type=Path, default=DOCS / "benchmarks" / "backbones.json")
    parser.add_argument("--time", action="store_true", help="measure forward passes as well")
    arguments = parser.parse_args()
    stored = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    sources = {"keras.applications": (FUNCTIONS, application), "keras-hub": (HUB, hub)}
    rows = {source: stored.get(source, {}) for source in sources}
    for source, (names, build) in sources.items():
        for name in names:
            if arguments.names is not None and name not in arguments.names:
                continue
            row = rows[source].get(name) if arguments.time else None
            row = row or convert(partial(build, name))
            if arguments.time and "refused" not in row:
                row["time"] = time_ratio(build(name))
            rows[source][name] = row
            print(source, name, row, flush=True)
            rows[source] = {name: rows[source][name] for name in names if name in rows[source]}
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
            keras.backend.clear_session()
            gc.collect()
    (DOCS / "backbones.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
