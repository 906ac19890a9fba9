"""Command-line options shared by several commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.crfs import CRFS, DEFAULT_CRF

if TYPE_CHECKING:
    from keras_deeplab.inference.options import InferenceOptions


def add_network(
    parser: argparse.ArgumentParser,
    *,
    model: str = "exported network instead: .tflite, .onnx or .keras file, or folder of a "
    "SavedModel",
) -> None:
    """Adds the options that select a network: --weights, --backbone, --output-stride, --model."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--weights",
        metavar="NAME",
        help="dataset, row name (see 'keras-deeplab list') or file of weights (default: voc)",
    )
    network.add_argument("--model", metavar="FILE", help=model)
    parser.add_argument("--backbone", choices=sorted(BACKBONES), help="network's backbone")
    parser.add_argument(
        "--output-stride",
        type=int,
        choices=(8, 16, 32),
        help="input pixels per feature pixel: 8 is finer and slower (default: as trained)",
    )


def add_inference(parser: argparse.ArgumentParser, *, crf: str) -> None:
    """Adds the fields of `InferenceOptions`; `crf` is the help text of --crf."""
    parser.add_argument(
        "--size",
        metavar="PIXELS",
        help="size that photos are resized to fit: side of a square, HEIGHTxWIDTH, or 'own' for "
        "that of each photo (default: the size the network was trained for)",
    )
    parser.add_argument(
        "--scales",
        nargs="+",
        type=float,
        default=[1.0],
        metavar="FACTOR",
        help="factors of the size to average over; the papers use 0.5 0.75 1 1.25 1.5 1.75",
    )
    parser.add_argument("--flip", action="store_true", help="average with the flipped photo")
    parser.add_argument(
        "--sliding-window",
        action="store_true",
        help="run on windows of --size at the photos' own resolution",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="photos per forward pass (default: 16 on a GPU or TPU, 1 on a CPU)",
    )
    parser.add_argument(
        "--crf",
        nargs="?",
        const=DEFAULT_CRF,
        default=False,
        choices=list(CRFS),
        metavar="PRESET",
        help=f"{crf}: --crf, or --crf and one of {', '.join(CRFS)} (default: {DEFAULT_CRF})",
    )


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


def check_network(arguments: argparse.Namespace) -> None:
    """Raises `ValueError` if --model is combined with options that only apply to --weights."""
    if arguments.model and (arguments.backbone or arguments.output_stride):
        raise ValueError(
            "--backbone and --output-stride build a network. Received: --model, which is built "
            "already. Use --weights."
        )


def resolve_network(arguments: argparse.Namespace, class_names: Any = None) -> Any:
    """Returns the network selected by the options of `add_network`.

    Args:
        arguments: Parsed arguments.
        class_names: Names by label id, for a file that has none.
    """
    from keras_deeplab.cli.startup import quiet_start

    if not arguments.model:
        from keras_deeplab.deeplab import DeepLab

        return DeepLab(
            weights=arguments.weights or "voc",
            backbone=arguments.backbone,
            output_stride=arguments.output_stride,
        )
    check_network(arguments)
    from keras_deeplab.inference import open_segmenter

    with quiet_start():
        return open_segmenter(arguments.model, fallback_names=class_names)
