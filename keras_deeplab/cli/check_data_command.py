"""`keras-deeplab check-data`: finds problems in images and masks."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab._files import make_folder, write_atomically
from keras_deeplab._validation import listed
from keras_deeplab.cli.arguments import add_options
from keras_deeplab.presets.datasets import DATASETS

if TYPE_CHECKING:
    from keras_deeplab.data.sources import SegmentationFiles


def add_parser(commands: Any) -> None:
    """Adds the command."""
    check = commands.add_parser(
        "check-data",
        help="find problems in a folder of images and masks",
        description="Reads every image and mask of a folder, in all its splits, and reports "
        "problems: missing, damaged or truncated files, size mismatches, invalid label ids and "
        "their likely cause, images shared between splits. Prints the share of each class and "
        "balancing class weights, and draws examples. The exit code is 1 if there are errors.",
        epilog="Example: keras-deeplab check-data --data pets --sheet pets.png",
    )
    add_data_arguments(check)
    add_options(
        check,
        """
        --sheet FILE.png: file to write a sheet of examples to: image, overlay, legend
        --fast: decode at most 500 images and 5,000 masks per split; skip the search for duplicates
        --json: print JSON instead of text
        """,
    )
    check.set_defaults(run=_check)


def add_data_arguments(command: argparse.ArgumentParser) -> None:
    """Adds the options for the location and the meaning of images and masks."""
    add_options(
        command,
        f"""
        --data DIR: folder with images and masks, e.g. DIR/images and DIR/masks
        --dataset NAME: a dataset ({", ".join(sorted(DATASETS))}): its classes, and its layout if it
            has one; a labelling tool's format (coco, coco_panoptic, cvat, label_studio, labelme,
            oxford_pets, roboflow, supervisely, yolo); or folder, for images and masks (default:
            detected)
        --class-names A,B,...: names of the labels 0, 1, ... (default: DIR/classes.txt, else one per
            label id in the masks; for annotations: background, then the annotated classes)
        --ignore-class LABEL: label of ignored pixels (default: 255)
        --label-map OLD:NEW,...: maps pixel values of the masks of a plain folder to labels, e.g.
            255:1 if white is the object, or 0:255,1-21:0-20 if classes count from 1
        --unlabelled: what pixels without annotation are, in a labelling tool's format (default:
            background; in coco_panoptic ignore)
        --other-classes: what to do with annotated classes that --class-names lacks (default: error)
        """,
        data={"required": True},
        ignore_class=int,
        unlabelled=("background", "ignore"),
        other_classes=("error", "unlabelled"),
    )


def data_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the reader options given by the options of `add_data_arguments`."""
    names = ("ignore_class", "unlabelled", "other_classes")
    options = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.class_names is not None:
        options["class_names"] = [name.strip() for name in arguments.class_names.split(",")]
    if arguments.label_map is not None:
        options["label_map"] = read_label_map(arguments.label_map)
    return options


def read_label_map(text: str) -> dict[int, int]:
    """Parses pairs such as "0:255,1-21:0-20"."""
    found: dict[int, int] = {}
    try:
        for pair in text.split(","):
            old, new = (_ids(ids) for ids in pair.split(":"))
            found |= zip(old, new if len(new) == len(old) else new * len(old), strict=True)
    except ValueError as error:
        raise ValueError(
            f"--label-map must be OLD:NEW pairs of ids, such as 255:1, 7:0,8:1 or 1-21:0-20. "
            f"Received: {text!r}."
        ) from error
    return found


def _ids(text: str) -> list[int]:
    first, _, last = text.partition("-")
    ids = list(range(int(first), int(last or first) + 1))
    if not ids:
        raise ValueError(f"A range must go up. Received: {text!r}.")
    return ids


def reading(folder: str, data: SegmentationFiles) -> str:
    """Returns a line that says what a folder was read as, with its classes."""
    names = listed(data.class_names, 12)
    count = len(data.class_names)
    return f"{folder}: read as {data.read_as}, {count} class{'es' * (count != 1)}: {names}"


def _check(arguments: argparse.Namespace) -> int:
    from keras_deeplab.data.checks.label_check import check_data
    from keras_deeplab.data.checks.sheet import label_sheet

    report = check_data(
        arguments.data,
        dataset=arguments.dataset,
        fast=arguments.fast,
        progress=True,
        **data_options(arguments),
    )
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        for source in islice(report.sources.values(), 1):
            print(reading(arguments.data, source))
        print(report)
    if arguments.sheet:
        path = Path(arguments.sheet).expanduser()
        make_folder(path.parent)
        with write_atomically(path) as partial:
            label_sheet(report).save(partial)
        if not arguments.json:
            print(path)
    return 1 if report.errors else 0
