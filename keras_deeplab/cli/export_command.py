"""`keras-deeplab export`: files for other runtimes, compared with the Keras model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from keras_deeplab.cli.arguments import (
    add_network,
    add_options,
    is_model_name,
    read_size,
    resolve_deeplab,
)
from keras_deeplab.cli.startup import quiet_start
from keras_deeplab.presets.crfs import CRFS, DEFAULT_CRF

# Options that have the same name in `export`.
_OPTIONS = (
    "format", "quantize", "representative_data", "batch", "argmax", "softmax", "crf",
    "uint8_input", "output_dtype", "opset", "min_agreement",
    "signature",
)  # fmt: skip
_SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "saved_model": ""}


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "export",
        help="write a TFLite, ONNX or SavedModel file and compare it with the network",
        description="Writes a network for another runtime, runs the file there and prints how "
        "closely its outputs agree with the network's. Class names, colours, input and output are "
        "stored in the file and next to it. If too few labels agree, nothing is written and the "
        "exit code is 1.",
        epilog="Example: keras-deeplab export --format tflite --quantize int8 --calibrate photos "
        "--size 513 --argmax --uint8",
    )
    add_network(parser, files=".keras file, or .tflite file of TensorFlow's DeepLab")
    add_options(
        parser,
        """
        --format: default: from the suffix of --out, else tflite
        --out FILE: file, or folder of a SavedModel, to write (default: the network's name); with
            --triton the model repository (default: triton)
        --quantize: TFLite only (default: float32)
        --calibrate DIR: folder of photos like those the network will process: calibrates int8, and
            some of them are used for the comparison
        --size PIXELS: side of the square image, or HEIGHTxWIDTH (default: dynamic)
        --batch BATCH: images per call (default: 1 in TFLite, else dynamic)
        """,
        format=tuple(sorted(_SUFFIXES)),
        quantize=("float16", "dynamic", "int8"),
        calibrate={"dest": "representative_data"},
        batch=int,
    )
    add_options(
        parser.add_mutually_exclusive_group(),
        "--argmax: return label ids, not scores\n--softmax: return probabilities, not logits",
    )
    add_options(
        parser,
        f"""
        --crf PRESET: append a dense CRF: permutohedral in a SavedModel, a convolutional
            approximation in other formats; one of {", ".join(CRFS)} (default: {DEFAULT_CRF})
        --uint8: take uint8 images, not float32
        --output-dtype: labels: uint8 or int32; int8 scores: float32, int8 or uint8 (default: the
            first)
        --opset OPSET: ONNX operator set version
        --min-agreement SHARE: minimum share of pixels with equal labels (default: 0.999; float16
            0.99, dynamic 0.95, int8 0.9)
        --signature: SavedModel only: add a signature that takes JPEG files and returns labels and
            the share of each class
        --triton: ONNX only: write a model repository of the Triton server, with config.pbtxt
        """,
        crf={"nargs": "?", "const": DEFAULT_CRF, "choices": list(CRFS)},
        uint8={"dest": "uint8_input", "action": "store_true"},
        output_dtype=("float32", "int8", "uint8", "int32"),
        opset=17,
        min_agreement=float,
        signature=("jpeg",),
    )
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    size = read_size(arguments.size, own=False)
    if arguments.triton and arguments.format != "onnx":
        raise ValueError(
            f"--triton must come with --format onnx. Received: --format {arguments.format}."
        )
    with quiet_start():
        model = _model(arguments)
        from keras_deeplab.exports import export, model_path, write_config
    path = Path(arguments.out or model.name + _SUFFIXES[arguments.format or "tflite"])
    if arguments.triton:
        path = model_path(Path(arguments.out or "triton").expanduser(), model.name)
    print(f"exporting {model.name} to {path} ...", file=sys.stderr, flush=True)
    # The converters report to standard error, too.
    with quiet_start():
        result = export(
            model,
            path,
            input_size=size,
            **{name: getattr(arguments, name) for name in _OPTIONS},
        )
    print(result)
    if arguments.triton:
        print(f"{'config':14}{write_config(path)}")
    return 0


def _model(arguments: argparse.Namespace) -> Any:
    path = Path(arguments.model).expanduser()
    if is_model_name(arguments.model) or arguments.backbone or arguments.output_stride:
        return resolve_deeplab(arguments)
    if not path.is_file():
        raise FileNotFoundError(f"--model must be an existing file. Received: {str(path)!r}.")
    if path.suffix == ".keras":
        from keras_deeplab.models.keras_file import load_keras_file

        return load_keras_file(path)
    if path.suffix == ".tflite":
        return resolve_deeplab(arguments)
    raise ValueError(
        f"--model must be a .keras file, which every format is exported from. Received: "
        f"{str(path)!r}."
    )
