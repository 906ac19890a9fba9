"""Compares this package with its peers' own code, on random weights, at odd and even sizes.

    python tools/compare_with_peers.py [--sizes 97x161 512x512 ...] [--repositories FOLDER]
        [--out docs/compare_with_peers.jsonl] [NAME ...]
    python tools/compare_with_peers.py --page

Each peer builds its network at full depth and saves it as it does; `DeepLab` opens the file. Both
answer docs/images/chelsea.png, resized, in float32. Prints a JSON line for each case and size: the
largest difference of the scores at the size of the photo, relative to the largest score, and the
share of pixels with the same label. Small photos are compared with the peer's code in float64 too,
which tells the rounding of float32 from a difference. A case whose peer is not installed is named
and left out.

`--repositories` is a folder with clones of kazuto1011/deeplab-pytorch, VainF/DeepLabV3Plus-Pytorch
and jfzhang95/pytorch-deeplab-xception. `--page` writes docs/peers.md from the lines in docs.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

RESULTS = ROOT / "docs" / "compare_with_peers.jsonl"
SIZES = ("97x161", "128x96", "512x512", "513x513")
# Larger photos take minutes in float64.
EXACT_PIXELS = 20_000


def _cases() -> dict[str, Callable[[Path, Path], Any]]:
    from tools import keras_peers
    from tools import peer_networks as peers

    cases: dict[str, Callable[[Path, Path], Any]] = {}
    for name in ("deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "deeplabv3_resnet101"):
        cases[f"torchvision {name}"] = partial(peers.torchvision, name)
    for name in ("DeepLabV3", "DeepLabV3Plus"):
        for encoder in ("resnet50", "resnet101"):
            cases[f"segmentation_models_pytorch {name} {encoder}"] = partial(
                peers.smp, name, encoder
            )
    for stride in (8, 16):
        cases[f"transformers MobileNetV2 output stride {stride}"] = partial(
            peers.transformers, stride
        )
    for plus in (False, True):
        for depth in (50, 101):
            cases[f"mmsegmentation DeepLabV3{'Plus' * plus} ResNetV1c-{depth}"] = partial(
                peers.mmsegmentation, plus, depth
            )
    for name in ("V2_ResNet101_MSC", "V2S_ResNet101_MSC", "V3_ResNet101_MSC"):
        cases[f"kazuto1011 DeepLab{name}"] = partial(peers.kazuto, f"DeepLab{name}")
    for name in ("deeplabv3", "deeplabv3plus"):
        for depth in (50, 101):
            cases[f"VainF {name}_resnet{depth}"] = partial(peers.vainf, f"{name}_resnet{depth}")
    cases["jfzhang95 DeepLab resnet"] = peers.jfzhang
    for backbone in ("mobilenet_v2", "xception_65"):
        cases[f"TF-Slim {backbone}"] = partial(peers.tf_slim, backbone)
    for name in keras_peers.APPLICATIONS:
        cases[f"keras.applications {name}, features"] = partial(keras_peers.application, name)
    for file in keras_peers.PUBLISHED:
        cases[f"TF-Slim {file}"] = partial(keras_peers.published_tflite, file)
    return cases


def photo(size: tuple[int, int]) -> np.ndarray:
    """Returns the cat, resized: uint8 (height, width, 3)."""
    with Image.open(ROOT / "docs" / "images" / "chelsea.png") as image:
        resized = image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)


def compare(name: str, sizes: list[tuple[int, int]], repositories: Path) -> list[dict[str, Any]]:
    """Returns a result for each size; those that the peer refuses are left out.

    Args:
        name: A case.
        sizes: Sizes of the photo.
        repositories: Folder of cloned repositories.
    """
    import keras

    from keras_deeplab import DeepLab

    with tempfile.TemporaryDirectory() as folder:
        peer = _cases()[name](Path(folder), repositories)
        model = peer.model or DeepLab(peer.file, **(peer.options or {}))
    results = []
    for size in sizes:
        image = photo(size)
        try:
            expected = peer.scores(image)
        except RuntimeError as error:
            print(f"# {name} {size[0]}x{size[1]}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        received = np.asarray(model(image[None]))[0]
        result = {
            "case": name,
            "size": f"{size[0]}x{size[1]}",
            "difference": _difference(received, expected),
            "equal_labels": _equal_labels(received, expected),
            "labels": len(np.unique(expected.argmax(-1))),
        }
        if peer.exact is not None and size[0] * size[1] <= EXACT_PIXELS:
            exact = peer.exact(image)
            result |= {
                "to_float64": _difference(received, exact),
                "peer_to_float64": _difference(expected, exact),
                "equal_labels_float64": _equal_labels(received, exact),
                "peer_equal_labels_float64": _equal_labels(expected, exact),
            }
        results.append(result)
    keras.backend.clear_session()
    gc.collect()
    return results


def _difference(scores: np.ndarray, expected: np.ndarray) -> float:
    return float(f"{np.abs(scores - expected).max() / np.abs(expected).max():.2e}")


def _equal_labels(scores: np.ndarray, expected: np.ndarray) -> float:
    return round(float((scores.argmax(-1) == expected.argmax(-1)).mean()), 6)


def page() -> str:
    """Returns docs/peers.md."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        rows.setdefault(line["case"], []).append(line)
    table = [
        "| peer | sizes | largest difference | equal labels | here to float64 | peer to float64 |",
        "|---|---|---|---|---|---|",
    ]
    for name, results in rows.items():
        labels = min(result["equal_labels"] for result in results)
        exact = [
            f"{max(values):.1e}" if values else ""
            for key in ("to_float64", "peer_to_float64")
            for values in [[result[key] for result in results if key in result]]
        ]
        table.append(
            f"| {name} | {', '.join(result['size'] for result in results)} "
            f"| {max(result['difference'] for result in results):.1e} "
            f"| {100 * labels:.3f} % | {exact[0]} | {exact[1]} |"
        )
    return _INTRODUCTION + "\n".join(table) + "\n" + _NOTES


_INTRODUCTION = """\
# Agreement with other implementations

Each peer's own code builds its network at full depth with random weights and saves it in its own
way; `DeepLab(weights=file)` opens the file. Both answer the same photo in float32. The difference
is the largest one of any score at the size of the photo, relative to the largest score; equal
labels are the smallest share of pixels at any of the sizes. Sizes are height x width, odd and even.

The last two columns compare both with the peer's code in float64, for photos of at most 20,000
pixels: how far the rounding of float32 takes this package, and the peer itself, from the exact
scores.

The table is generated: `python tools/compare_with_peers.py --repositories FOLDER --out
docs/compare_with_peers.jsonl`, then `--page`. `pip install ".[peers]"` installs most of the peers;
mmsegmentation needs `mmcv-lite` and `ftfy` too.

"""
_NOTES = """
- segmentation_models_pytorch refuses sizes that are no multiples of 8 or 16.
- The random weights are those of networks whose residual branches are smaller than the sum that
  they are added to: the batch norm that ends a branch has gammas from 0.1 to 0.5, every other one
  from 0.5 to 1.5. With 0.5 to 1.5 everywhere, 101 layers amplify the rounding of float32 beyond
  1e-4 of the largest score, here and in the peer alike.
- The `TF-Slim` networks follow TensorFlow's graph in its own operations; those that end in
  `.tflite` are the published ones, whose graphs are executed in float32, operator by operator, with
  the padding that is stored in them.
- kazuto1011's networks with MSC are those of its code in today's PyTorch. Its published weights run
  on the grid of the PyTorch that they were trained with, see their [cards](models.md).
- keras.applications has no segmentation head: its features at output stride 32 are compared, and
  the channel with the largest value takes the place of a label.
- The networks of Caffe have no peer that can be installed: `python tools/compare_with_torch.py`
  compares them with networks in PyTorch's operations.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a case's name")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="HEIGHTxWIDTH")
    parser.add_argument("--repositories", type=Path, default=Path("peers"), metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="FILE", help="add the lines to this file")
    parser.add_argument("--page", action="store_true", help="write docs/peers.md")
    arguments = parser.parse_args()
    if arguments.page:
        (ROOT / "docs" / "peers.md").write_text(page(), encoding="utf-8")
        return
    sizes = [tuple(int(side) for side in size.split("x")) for size in arguments.sizes]
    for name in _cases():
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        try:
            results = compare(name, sizes, arguments.repositories)
        except (ModuleNotFoundError, FileNotFoundError) as error:
            print(f"# {name}: left out, {error}", file=sys.stderr)
            continue
        for result in results:
            print(json.dumps(result), flush=True)
        if arguments.out:
            with arguments.out.open("a") as file:
                file.writelines(json.dumps(result) + "\n" for result in results)


if __name__ == "__main__":
    main()
