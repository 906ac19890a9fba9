"""Command-line options shared by several commands."""

from __future__ import annotations

import argparse
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab._validation import suggestion
from keras_deeplab.presets.applications import BACKBONE_NAMES
from keras_deeplab.presets.crfs import CRFS, DEFAULT_CRF
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.weights import WEIGHTS

if TYPE_CHECKING:
    from keras_deeplab.inference.options import InferenceOptions

_MODEL_SUFFIXES = (".keras", ".h5", ".tflite", ".onnx")
BACKBONE = """--backbone NAME: network's backbone: resnet50, mobilenet_v2, ..., or
    keras.applications.ResNet50, ..."""


def add_options(parser: Any, text: str, **values: Any) -> None:
    r"""Adds options to a parser, or to a group of one.

    Args:
        parser: The parser or group.
        text: A paragraph per option, "--name METAVAR: help". Without a metavar and a value, it is
            a flag.
        **values: By name: a tuple of choices, a type, a default, which the help states, or a dict
            of arguments of `add_argument`. Default: text, or None if the option is not given.

    Example:

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, "--fast: be quick\n--limit N: stop after N images", limit=9)
    >>> parser.parse_args(["--fast"])
    Namespace(fast=True, limit=9)
    """
    for paragraph in re.split(r"\n\s*(?=--\S+(?: \S+)?: )", text.strip()):
        name, _, help = " ".join(paragraph.split()).partition(": ")
        option, _, metavar = name.partition(" ")
        settings: dict[str, Any] = {"metavar": metavar} if metavar else {}
        value = values.get(option.removeprefix("--").replace("-", "_"))
        if isinstance(value, dict):
            settings |= value
        elif isinstance(value, tuple):
            settings["choices"] = value
        elif callable(value):
            settings["type"] = value
        elif value is not None:
            settings |= {"type": type(value), "default": value}
            help += " (default: %(default)s)"
        elif not metavar:
            settings["action"] = "store_true"
        parser.add_argument(option, help=help, **settings)


def add_network(
    parser: argparse.ArgumentParser,
    *,
    files: str = ".keras, .tflite or .onnx file, or folder of a SavedModel",
) -> None:
    """Adds the options that select a network: --model, --backbone, --output-stride."""
    add_model(parser, f"name (see 'keras-deeplab list'), or {files} (default: %(default)s)")
    add_options(
        parser,
        f"""{BACKBONE}
        --output-stride: input pixels per feature pixel: 8 is finer and slower (default: as
        trained)""",
        backbone=BACKBONE_NAMES,
        output_stride={"type": int, "choices": (8, 16, 32)},
    )


def add_model(parser: argparse.ArgumentParser, help: str, default: str | None = "voc") -> None:
    """Adds --model, and --weights as another word for it."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--model", metavar="MODEL", default=default, help=help)
    group.add_argument("--weights", dest="model", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def add_inference(parser: argparse.ArgumentParser, *, crf: str) -> None:
    """Adds the fields of `InferenceOptions`; `crf` is the help text of --crf."""
    add_options(
        parser,
        f"""
        --size PIXELS: size that photos are resized to fit: side of a square, HEIGHTxWIDTH, or
            'own' for that of each photo (default: the size the network was trained for)
        --scales FACTOR: factors of the size to average over; the papers use 0.5 0.75 1 1.25 1.5
            1.75
        --flip: average with the flipped photo
        --sliding-window: run on windows of --size at the photos' own resolution
        --batch-size N: photos per forward pass (default: 16 on a GPU or TPU, 1 on a CPU)
        --crf PRESET: {crf}: --crf, or --crf and one of {", ".join(CRFS)} (default: {DEFAULT_CRF})
        """,
        scales={"nargs": "+", "type": float, "default": [1.0]},
        batch_size=int,
        crf={"nargs": "?", "const": DEFAULT_CRF, "default": False, "choices": list(CRFS)},
    )


def photos_after_crf(argv: Sequence[str]) -> list[str]:
    """Returns arguments in which a photo after --crf is not taken for the name of a preset."""
    given = list(argv)
    for index, name in enumerate(given[1:], 1):
        is_file = name not in CRFS and (os.path.exists(name) or glob.has_magic(name))
        if given[index - 1] == "--crf" and is_file:
            given[index - 1] = f"--crf={DEFAULT_CRF}"
    return given


def resolve_inference(arguments: argparse.Namespace) -> InferenceOptions:
    """Returns the `InferenceOptions` for the options of `add_inference`."""
    size = read_size(arguments.size)
    from keras_deeplab.inference.options import InferenceOptions

    return InferenceOptions(
        size=size,
        scales=arguments.scales,
        flip=arguments.flip,
        sliding_window=arguments.sliding_window,
        crf=arguments.crf,
        batch_size=arguments.batch_size,
        workers=getattr(arguments, "workers", None),
    )


def read_size(text: str | None, *, own: bool = True, option: str = "--size") -> Any:
    """Parses a size option: pixels, (height, width), None or, if allowed, "own"."""
    if text is None or (own and text == "own"):
        return text
    try:
        sides = tuple(int(side) for side in text.split("x"))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2):
        choices = "PIXELS, HEIGHTxWIDTH or own" if own else "PIXELS or HEIGHTxWIDTH"
        raise ValueError(f"{option} must be {choices}. Received: {text!r}.")
    return sides[0] if len(sides) == 1 else sides


def is_model_name(model: str) -> bool:
    """Whether --model is the name of weights or of a dataset, not a file; else raises an error."""
    datasets = sorted({row.dataset for row in WEIGHTS.values()})
    if model in WEIGHTS or model in DATASETS:
        return True
    path = Path(model).expanduser()
    if path.exists() or path.suffix in _MODEL_SUFFIXES or "/" in model or os.sep in model:
        return False
    raise ValueError(
        f"--model must be a dataset with weights ({', '.join(datasets)}), another name that "
        f"'keras-deeplab list' shows, or an existing file. Received: --model {model}."
        f"{suggestion(model, [*datasets, *WEIGHTS])}"
    )


def resolve_network(arguments: argparse.Namespace, class_names: Any = None) -> Any:
    """Returns the network selected by the options of `add_network`.

    A file is opened as it is; with --backbone or --output-stride, its weights are loaded into the
    network of these options. `class_names` are for a file that has none.
    """
    from keras_deeplab.cli.startup import quiet_start

    class_names = class_names or _class_names(arguments)
    built = is_model_name(arguments.model) or arguments.backbone or arguments.output_stride
    with quiet_start():
        path = Path(arguments.model).expanduser()
        checkpoint = path.is_file() and path.suffix.lower() not in _MODEL_SUFFIXES
        if built or checkpoint or (class_names is None and _is_published(path)):
            return resolve_deeplab(arguments)
        from keras_deeplab.inference import open_segmenter

        return open_segmenter(arguments.model, fallback_names=class_names)


def add_classes(parser: argparse.ArgumentParser) -> None:
    """Adds the options that name the classes of a file: --class-names, --dataset."""
    add_options(
        parser.add_mutually_exclusive_group(),
        """
        --class-names A,B,...: names of the labels 0, 1, ... of a --model file that does not hold
            them
        --dataset: the same, by the dataset that the network was trained on
        """,
        dataset=tuple(sorted(DATASETS)),
    )


def _class_names(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    if names := getattr(arguments, "class_names", None):
        return tuple(name.strip() for name in names.split(","))
    row = DATASETS.get(getattr(arguments, "dataset", None) or "")
    return row.class_names if row else None


def _is_published(path: Path) -> bool:
    """Whether a TFLite file was not exported here: its weights are read, as by `DeepLab`."""
    from keras_deeplab.inference.runtimes.tflite_runtime import is_export

    return path.suffix == ".tflite" and path.is_file() and not is_export(path)


def resolve_deeplab(arguments: argparse.Namespace) -> Any:
    """Returns the Keras model of the options of `add_network`."""
    from keras_deeplab.deeplab import DeepLab

    return DeepLab(
        arguments.model, backbone=arguments.backbone, output_stride=arguments.output_stride
    )
