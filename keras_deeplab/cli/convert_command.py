"""`keras-deeplab convert`: published checkpoints as `.keras` files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keras_deeplab.cli.arguments import add_options
from keras_deeplab.cli.startup import start_keras
from keras_deeplab.presets.checkpoints import CHECKPOINTS
from keras_deeplab.presets.datasets import DATASETS


def add_parser(commands: Any) -> None:
    """Adds the command."""
    conversion = commands.add_parser(
        "convert",
        help="convert a checkpoint of another library to a .keras file",
        description="Loads a checkpoint into a network and saves it as a .keras file, for "
        "segment --model and DeepLab(weights=...). Reads DeepLab networks of TF-Slim, Caffe, "
        "Hugging Face, torchvision, mmsegmentation, segmentation_models_pytorch, and of the "
        "repositories of kazuto1011, VainF and jfzhang95.",
        epilog="Example: keras-deeplab convert mine.pth --class-names background,cat "
        "--out mine.keras",
    )
    conversion.add_argument("source", metavar="SOURCE", help="the checkpoint")
    add_options(
        conversion,
        f"""
        --converter NAME: reader of the file: {", ".join(CHECKPOINTS)}. Default: found from the file
        --network ROW: network, see 'keras-deeplab list'. Default: found from the file, except
            Caffe's
        --out FILE.keras: file to write
        --member NAME: weights in an archive with several
        --class-names NAMES: names by label id: separated by commas, in a text file with one a line,
            or a dataset's ({", ".join(DATASETS)}). Default: those of a published file, else numbers
        """,
        out={"required": True},
        member={"default": ""},
    )
    conversion.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> int:
    names = _class_names(arguments.class_names)
    start_keras()
    from keras_deeplab.weights.conversion import convert

    model = convert(
        arguments.source,
        arguments.out,
        converter=arguments.converter,
        network=arguments.network,
        member=arguments.member,
        class_names=names,
    )
    found = model.get_layer("output").class_names
    shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
    print(f"{arguments.source}: {model.name} with {len(found)} classes ({shown})")
    if found[-1] == f"class {len(found) - 1}":
        print("  The file has no class names: give them with --class-names.")
    print(f"  {arguments.out}")
    return 0


def _class_names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    if text in DATASETS:
        return DATASETS[text].class_names
    if Path(text).is_file():
        text = ",".join(Path(text).read_text(encoding="utf-8-sig").splitlines())
    return tuple(name.strip() for name in text.split(",") if name.strip())
