"""Opens a checkpoint of any supported library: its network, arrays, options and class names."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab._validation import check_choice
from keras_deeplab.models import BuildOptions
from keras_deeplab.models.backbones.any_network import AnyNetwork
from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.checkpoints import CHECKPOINTS
from keras_deeplab.presets.datasets import DATASETS, numbered_classes
from keras_deeplab.presets.networks import DEEPLABS, DeepLabRow
from keras_deeplab.presets.weights import WEIGHTS, WeightsRow
from keras_deeplab.weights.download import file_sha256
from keras_deeplab.weights.readers.converters import read_arrays
from keras_deeplab.weights.readers.recognition import Recognised, recognise
from keras_deeplab.weights.readers.tensors import read_tensors
from keras_deeplab.weights.readers.torch_file import torch_class_names
from keras_deeplab.weights.readers.torch_networks import torch_arrays

_TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl", ".pyth", ".safetensors")
# Only these have both kinds of padding, see `BuildOptions`.
_PADDED = ("mobilenet_v2", "mobilenet_v3", "efficientnet_lite")
# Files of these names are other formats; every other one is PyTorch's.
_CONVERTERS_BY_NAME = {
    r".*\.tflite": "tflite",
    r".*(\.tar\.gz|\.tgz|\.index)": "tf_slim",
    r".*(\.caffemodel|\.zip)": "caffe",
}


@dataclass(frozen=True)
class ResolvedWeights:
    """A network, the options to build it with, and the weights to load.

    Attributes:
        row: Preset of the network.
        class_names: Names by label id.
        options: Options to build the network with.
        source: Origin of the arrays, for messages.
        arrays: Arrays by "layer/variable". None: random initialisation, or ImageNet weights.
        imagenet: Whether to load ImageNet weights into the backbone.
        backbone_only: Whether to load only the weights of the backbone.
        network: Backbone instead of that of the preset.
    """

    row: DeepLabRow
    class_names: tuple[str, ...]
    options: BuildOptions = BuildOptions()
    source: str = ""
    arrays: dict[str, np.ndarray] | None = None
    imagenet: bool = False
    backbone_only: bool = False
    network: AnyNetwork | None = None


def open_checkpoint(
    path: str | Path,
    *,
    converter: str | None = None,
    network: str | None = None,
    member: str = "",
    class_names: Sequence[str] | None = None,
) -> ResolvedWeights:
    """Opens a checkpoint file.

    Normalisation, padding and resize grid are those of the library; those of a published file,
    known by its hash or its name, are those of its row.

    Args:
        path: The file.
        converter: Name of its reader. None: found from the name and content of the file.
        network: Name of the network. None: found from the content.
        member: Name of the weights inside the file, if it is an archive with several.
        class_names: Names by label id. None: those of a published file's dataset, or those that
            the file has itself; else "class 0", "class 1", ...

    Raises:
        ValueError: If the file is damaged, is not of a supported network, or names are wrong.
        FileNotFoundError: If the file does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"source must be an existing file. Received: {str(path)!r}.")
    if converter is not None:
        check_choice("converter", converter, tuple(CHECKPOINTS))
    if network is not None:
        check_choice("network", network, tuple(DEEPLABS))
    tensors, found = {}, Recognised()
    by_content = _format(path, converter)
    if not by_content:
        tensors = read_tensors(path)
        found = _recognised(tensors, path, converter)
    converter = converter or by_content or found.converter
    published = _published(path, converter)
    if member and converter != "caffe":
        raise ValueError(
            f"member must be left out for a file of the converter {converter!r}. Received: "
            f"member={member!r} for {path}."
        )
    if tensors:
        arrays = torch_arrays(converter, tensors, path)
    else:
        arrays = read_arrays(path, converter, member=member)
    if network is None and published is not None:
        network = published.network
    elif network is None:
        network = found.network if found.converter == converter else _network_of(arrays)
    if not network:
        raise ValueError(
            f"network must be given for a file of the converter {converter!r}, which several "
            f"networks share. Received: {path}. Choose one that 'keras-deeplab list' shows."
        )
    arrays, classes = _with_background(arrays)
    config = _hugging_face_config(path) if converter == "hugging_face" else {}
    if published is not None and published.network == network:
        options = BuildOptions.published(published)
    else:
        options = _options(converter, network, config, tensors)
    if published is not None:
        stored: Sequence[str] = DATASETS[published.dataset].class_names
    else:
        stored = _stored_names(path, converter, config)
    names = _names(class_names, stored, classes, path)
    return ResolvedWeights(DEEPLABS[network], names, options, source=str(path), arrays=arrays)


def _format(path: Path, converter: str | None) -> str:
    """Returns the converter of a file that is not PyTorch's, "" for PyTorch's."""
    by_name = next((c for p, c in _CONVERTERS_BY_NAME.items() if re.fullmatch(p, path.name)), "")
    with path.open("rb") as file:
        start = file.read(9)
    if start[4:8] == b"TFL3":
        by_name = "tflite"
    if (converter or by_name) in ("arrays", "caffe", "tf_slim", "tflite"):
        return converter or by_name
    known = start.startswith((b"PK", b"\x80")) or start[8:] == b"{"
    if path.suffix not in _TORCH_SUFFIXES and not known:
        h5 = " For .weights.h5 files build the model first, then call its load_weights method."
        raise ValueError(
            f"A checkpoint must be a file of PyTorch, safetensors, TF-Slim, TFLite or Caffe. "
            f"Received: {str(path)!r}.{h5 if path.suffix == '.h5' else ''}"
        )
    return ""


def _recognised(tensors: dict[str, np.ndarray], path: Path, converter: str | None) -> Recognised:
    found = recognise(tensors)
    if found.title and not found.converter:
        raise ValueError(
            f"The file must hold a network of this package. Received: {path}, {found}. "
            f"'keras-deeplab convert --help' lists what can be read."
        )
    if converter is None and not found.converter:
        raise ValueError(
            f"The file's network must be one that is known. Received: {path}, {found}. "
            f"If it is one of this package's networks, convert it: keras-deeplab convert "
            f"{path.name} --converter NAME --network NAME --out net.keras."
        )
    return found


def _published(path: Path, converter: str) -> WeightsRow | None:
    """Returns the row of a published file: by its hash, or by its name if no hash was published."""
    rows = [row for row in WEIGHTS.values() if row.converter == converter]
    hashed = [row for row in rows if row.sha256]
    digest = file_sha256(path) if hashed else ""
    for row in rows:
        # Not the name in its address, which for Hugging Face's is that of everybody's files.
        own_name = path.name == row.file and not row.member
        if digest.startswith(row.sha256) if row.sha256 else own_name:
            return row
    return None


def _network_of(arrays: dict[str, np.ndarray]) -> str:
    """Returns the network of a TF-Slim or TFLite file."""
    if "entry_flow_conv1_1/kernel" in arrays:
        if any(key.startswith("entry_flow_block4_") for key in arrays):
            return "deeplab_v3_plus_xception_71"
        deep = any(key.startswith("middle_flow_block1_unit_9_") for key in arrays)
        return "deeplab_v3_plus_xception_65" if deep else "deeplab_v3_plus_xception_41"
    if "stem/kernel" not in arrays or "block_16_project/kernel" not in arrays:
        return ""
    plus = any(key.startswith("decoder_") for key in arrays)
    half = "_050" * (arrays["stem/kernel"].shape[3] == 16)
    return "deeplab_v3_plus_mobilenet_v2" if plus else f"deeplab_v3_mobilenet_v2{half}"


def _options(
    converter: str, network: str, config: dict[str, Any], tensors: Collection[str]
) -> BuildOptions:
    """Returns the conventions of the library, and what the file says of itself."""
    options = BuildOptions.published(CHECKPOINTS[converter])
    symmetric = BACKBONES[DEEPLABS[network].backbone].family not in _PADDED
    if symmetric or config.get("tf_padding") is False:
        options = replace(options, padding="symmetric")
    if config.get("output_stride") in DEEPLABS[network].output_strides:
        options = replace(options, output_stride=config["output_stride"])
    msc = converter == "kazuto" and all(name.startswith(("base.", "scale.")) for name in tensors)
    if msc or (converter == "caffe" and network == "deeplab_v2_resnet101_caffe_aspp"):
        options = replace(options, multi_scale_inputs=(0.5, 0.75, 1.0))
    return options


def _with_background(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
    """Returns arrays with two classes or more, and the number of classes in the file.

    A single score z is one of a sigmoid: with a score of 0 for the background, softmax gives the
    same probability, and the larger score is the foreground's where it is above 1/2.
    """
    layers = [key for key in arrays if re.fullmatch(r"classifier\w*/(kernel|bias)", key)]
    classes = {arrays[key].shape[-1] for key in layers} or {0}
    if classes != {1}:
        return arrays, max(classes)
    widened = {
        key: np.concatenate([np.zeros_like(arrays[key]), arrays[key]], axis=-1) for key in layers
    }
    return {**arrays, **widened}, 1


def _stored_names(path: Path, converter: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Returns the names of classes in a file, or beside it; empty without any."""
    labels = config.get("id2label")
    if isinstance(labels, dict):
        names = tuple(map(str, labels.values()))
        return () if all(re.fullmatch(r"LABEL_\d+", name) for name in names) else names
    if converter == "mmseg" and path.suffix != ".safetensors":
        return torch_class_names(path)
    return ()


def _hugging_face_config(path: Path) -> dict[str, Any]:
    """Returns the configuration beside a file of Hugging Face; empty without one."""
    try:
        config = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _names(
    given: Sequence[str] | None, stored: Sequence[str], classes: int, path: Path
) -> tuple[str, ...]:
    """Returns the names of the classes: given, stored, or by number."""
    wanted = max(classes, 2)
    if given:
        names = tuple(map(str, given))
    elif len(stored) == classes:
        names = tuple(stored)
    else:
        names = ("background", "foreground") if classes == 1 else numbered_classes(classes)
    if len(names) == classes == 1:
        names = ("background", *names)
    if len(names) != wanted or len(set(names)) < wanted:
        raise ValueError(
            f"class_names must be {wanted} distinct names, one for each class of the network. "
            f"Received: {len(names)} names, {list(names)[:5]}, for {path}."
        )
    return names
