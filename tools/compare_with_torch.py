"""Compares every converted network with an independent one in PyTorch, on random weights.

    python tools/compare_with_torch.py [--sizes 97 128 321] [NAME ...]

Random weights are saved in the publisher's format, read by the package's converter, and both
networks answer the same random images in float32. Prints, as JSON lines, the largest difference of
the class scores at the size of the image, relative to the largest score, by size.
docs/compare_with_torch.jsonl is its output with torch 2.13 on CPU; it takes five minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

R50, R101 = (3, 4, 6, 3), (3, 4, 23, 3)


class Case(NamedTuple):
    """A published network: ours, its blocks, its converter, the grid and scales."""

    network: str
    blocks: tuple[int, ...]
    converter: str
    align_corners: bool = False
    scales: tuple[float, ...] = ()


CASES = {
    "torchvision_v3_resnet50": Case("deeplab_v3_resnet50", R50, "torchvision"),
    "torchvision_v3_resnet101": Case("deeplab_v3_resnet101", R101, "torchvision"),
    "kazuto_v2_resnet101_msc": Case(
        "deeplab_v2_resnet101_caffe_aspp", R101, "kazuto", scales=(0.5, 0.75, 1.0)
    ),
    "mmseg_v3_resnet50": Case("deeplab_v3_resnet50_v1c", R50, "mmseg"),
    "mmseg_v3_resnet101": Case("deeplab_v3_resnet101_v1c", R101, "mmseg"),
    "mmseg_v3_plus_resnet50": Case("deeplab_v3_plus_resnet50_v1c", R50, "mmseg"),
    "mmseg_v3_plus_resnet101": Case("deeplab_v3_plus_resnet101_v1c", R101, "mmseg"),
    "caffe_v1_vgg16": Case("deeplab_v1_vgg16", (), "caffe", align_corners=True),
    "caffe_v2_vgg16_aspp_l": Case("deeplab_v2_vgg16_aspp_l", (), "caffe", align_corners=True),
    "caffe_v2_resnet101": Case("deeplab_v2_resnet101_caffe_aspp", R101, "caffe", True),
}


def compare(
    name: str, sizes: list[int], *, blocks: tuple[int, ...] | None = None, classes: int = 21
) -> dict[str, float]:
    """Returns the largest relative difference by size of the image.

    Args:
        name: A key of `CASES`.
        sizes: Sides of square images.
        blocks: Blocks per stage, for a shallower network than the published one.
        classes: Number of classes.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812

    from keras_deeplab.models import BuildOptions, build_model
    from keras_deeplab.presets.networks import DEEPLABS
    from keras_deeplab.weights import load_arrays
    from keras_deeplab.weights.readers import read_arrays

    case = CASES[name]
    row = DEEPLABS[case.network]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights"
        network = _reference(case, blocks or case.blocks, classes, file)
        arrays = read_arrays(file, case.converter)
    model = build_model(
        row,
        class_names=[str(label) for label in range(classes)],
        options=BuildOptions(
            preprocessing=None,
            align_corners=case.align_corners,
            multi_scale_inputs=case.scales,
        ),
    )
    load_arrays(model, arrays, source=name)
    differences = {}
    rng = np.random.default_rng(0)
    for size in sizes:
        image = rng.normal(0, 1, (1, size, size, 3)).astype("float32")
        with torch.no_grad():
            scores = network(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()))
            scores = F.interpolate(
                scores, (size, size), mode="bilinear", align_corners=case.align_corners
            )
        expected = scores.numpy().transpose(0, 2, 3, 1)
        received = np.asarray(model(image))
        differences[str(size)] = float(np.abs(received - expected).max() / np.abs(expected).max())
    return differences


def _reference(case: Case, blocks: tuple[int, ...], classes: int, file: Path):
    """Makes a network with random weights, writes them to a file, returns its function."""
    import torch

    from tests.reference import torch_networks as nets
    from tests.reference.caffemodel_writer import write_caffemodel

    if case.converter == "caffe" and "vgg" in case.network:
        return _caffe_vgg(case, classes, file)
    if case.converter == "torchvision":
        network = nets.randomize(nets.torchvision_deeplab(blocks, classes))
    elif case.converter == "mmseg":
        plus = "plus" in case.network
        network = nets.randomize(nets.MMSegDeepLab(blocks, plus=plus, classes=classes))
    else:
        network = nets.randomize(nets.KazutoDeepLabV2(blocks, classes))
        if case.scales:
            network = nets.KazutoMSC(network)
    if case.converter == "caffe":
        file.write_bytes(write_caffemodel(_caffe_layers(network)))
    else:
        state = network.state_dict()
        torch.save({"state_dict": state} if case.converter == "mmseg" else state, file)
    if case.converter == "torchvision":
        return lambda x: network(x)["out"]
    if case.converter in ("kazuto", "caffe"):
        return lambda x: network(x.flip(1))
    return network


def _caffe_layers(network):
    """The kazuto network's tensors as Caffe's layers, with batch norm in three arrays and two."""
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    branches = {"shortcut": "1", "reduce": "2a", "conv3x3": "2b", "increase": "2c"}
    for name in state:
        if not name.endswith("conv.weight"):
            continue
        unit = name.removesuffix(".conv.weight")
        stage, block, branch = [*unit.split("."), ""][:3]
        if stage == "layer1":
            convolution, suffix = "conv1", "_conv1"
        else:
            number = int(block[5:]) - 1
            letter = chr(97 + number) if stage in ("layer2", "layer5") or not number else ""
            suffix = f"{stage[5:]}{letter or f'b{number}'}_branch{branches[branch]}"
            convolution = f"res{suffix}"
        gamma, beta, mean, variance = (
            state[f"{unit}.bn.{key}"] for key in ("weight", "bias", "running_mean", "running_var")
        )
        factor = np.array([999.98], "float32")
        yield convolution, "Convolution", [state[name]]
        yield f"bn{suffix}", "BatchNorm", [mean * factor, variance * factor, factor]
        yield f"scale{suffix}", "Scale", [gamma, beta]
        yield f"{convolution}_relu", "ReLU", []
    for index in range(4):
        arrays = [state[f"aspp.c{index}.weight"], state[f"aspp.c{index}.bias"]]
        yield f"fc1_voc12_c{index}", "Convolution", arrays


def _caffe_vgg(case: Case, classes: int, file: Path):
    import torch

    from keras_deeplab.presets.backbones import BACKBONES
    from keras_deeplab.presets.networks import DEEPLABS
    from tests.reference.caffemodel_writer import write_caffemodel
    from tests.reference.torch_networks import caffe_vgg

    rng = np.random.default_rng(1)
    row = DEEPLABS[case.network]
    shapes = {}
    before = 3
    for stage, (channels, count) in enumerate(BACKBONES[row.backbone].stages, start=1):
        for index in range(1, count + 1):
            shapes[f"conv{stage}_{index}"] = (channels, before, 3, 3)
            before = channels
    hidden = row.head_channels
    for number in range(1, len(row.atrous_rates) + 1):
        suffix = f"_{number}" if len(row.atrous_rates) > 1 else ""
        shapes[f"fc6{suffix}"] = (hidden, before, 3, 3)
        shapes[f"fc7{suffix}"] = (hidden, hidden, 1, 1)
        shapes[f"fc8_voc12{suffix}"] = (classes, hidden, 1, 1)
    weights = {
        name: (
            rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype("float32"),
            rng.normal(0, 0.1, shape[0]).astype("float32"),
        )
        for name, shape in shapes.items()
    }
    layers = [(name, "Convolution", list(arrays)) for name, arrays in weights.items()]
    file.write_bytes(write_caffemodel(layers, old=row.version == "v1"))
    tensors = {name: [torch.from_numpy(a) for a in arrays] for name, arrays in weights.items()}
    return lambda x: caffe_vgg(tensors, x.flip(1), rates=row.atrous_rates, version=row.version)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *CASES], metavar="NAME")
    parser.add_argument("--sizes", type=int, nargs="+", default=[97, 128, 321])
    arguments = parser.parse_args()
    for name in arguments.names or CASES:
        print(json.dumps({name: compare(name, arguments.sizes)}), flush=True)


if __name__ == "__main__":
    main()
