"""`keras-deeplab export`: files for other runtimes, compared with the Keras model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from keras_deeplab.cli.arguments import add_network, is_model_name, read_size, resolve_deeplab
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
    parser.add_argument(
        "--format", choices=sorted(_SUFFIXES), help="default: from the suffix of --out, else tflite"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file, or folder of a SavedModel, to write (default: the network's name); with "
        "--triton the model repository (default: triton)",
    )
    parser.add_argument(
        "--quantize", choices=("float16", "dynamic", "int8"), help="TFLite only (default: float32)"
    )
    parser.add_argument(
        "--calibrate",
        dest="representative_data",
        metavar="DIR",
        help="folder of photos like those the network will process: calibrates int8, and some of "
        "them are used for the comparison",
    )
    parser.add_argument(
        "--size",
        metavar="PIXELS",
        help="side of the square image, or HEIGHTxWIDTH (default: dynamic)",
    )
    parser.add_argument(
        "--batch", type=int, help="images per call (default: 1 in TFLite, else dynamic)"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--argmax", action="store_true", help="return label ids, not scores")
    output.add_argument("--softmax", action="store_true", help="return probabilities, not logits")
    parser.add_argument(
        "--crf",
        nargs="?",
        const=DEFAULT_CRF,
        choices=list(CRFS),
        metavar="PRESET",
        help="append a dense CRF: permutohedral in a SavedModel, a convolutional approximation "
        f"in other formats; one of {', '.join(CRFS)} (default: {DEFAULT_CRF})",
    )
    parser.add_argument(
        "--uint8",
        dest="uint8_input",
        action="store_true",
        help="take uint8 images, not float32",
    )
    parser.add_argument(
        "--output-dtype",
        choices=("float32", "int8", "uint8", "int32"),
        help="labels: uint8 or int32; int8 scores: float32, int8 or uint8 (default: the first)",
    )
    parser.add_argument(
        "--opset", type=int, default=17, help="ONNX operator set version (default: %(default)s)"
    )
    parser.add_argument(
        "--min-agreement",
        type=float,
        metavar="SHARE",
        help="minimum share of pixels with equal labels (default: 0.999; float16 0.99, dynamic "
        "0.95, int8 0.9)",
    )
    _add_servers(parser)
    parser.set_defaults(run=_export)


def _add_servers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--signature",
        choices=("jpeg",),
        help="SavedModel only: add a signature that takes JPEG files and returns labels and the "
        "share of each class",
    )
    parser.add_argument(
        "--triton",
        action="store_true",
        help="ONNX only: write a model repository of the Triton server, with config.pbtxt",
    )


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
