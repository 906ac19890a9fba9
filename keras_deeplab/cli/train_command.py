"""`keras-deeplab train`: fine-tunes a network on images and masks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab.cli.arguments import add_model, is_model_name, read_size
from keras_deeplab.cli.check_data_command import add_data_arguments, data_options, reading
from keras_deeplab.cli.startup import quiet_start
from keras_deeplab.presets.applications import BACKBONE_NAMES
from keras_deeplab.presets.recipes import RECIPES

# Options that have the same name in `train`.
_OPTIONS = ("recipe", "validate_every", "class_weights", "accumulate", "patience", "seed")

if TYPE_CHECKING:
    from keras_deeplab.data.sources import SegmentationFiles


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "train",
        help="fine-tune a network on a folder of images and masks",
        description="Trains a network on images and masks and saves the weights with the best "
        "validation mean IoU. Run again with the same arguments, or with more --epochs, it resumes "
        "training.",
        epilog="Example: keras-deeplab train --data photos --out runs/first",
    )
    add_data_arguments(parser)
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    _add_run(parser)
    _add_network(parser)
    _add_recipe(parser)
    parser.set_defaults(run=_train)


def _add_network(parser: argparse.ArgumentParser) -> None:
    add_model(
        parser,
        help="initial weights: name (see 'keras-deeplab list'), .keras file, imagenet or none "
        "(default: %(default)s)",
    )
    parser.add_argument("--version", choices=("v1", "v2", "v3", "v3+"), help="network's version")
    parser.add_argument(
        "--backbone",
        choices=BACKBONE_NAMES,
        metavar="NAME",
        help="network's backbone: resnet50, mobilenet_v2, ..., or keras.applications.ResNet50, ...",
    )
    parser.add_argument(
        "--output-stride", type=int, choices=(8, 16, 32), help="input pixels per feature pixel"
    )
    parser.add_argument(
        "--batch-norm",
        choices=("trainable", "frozen"),
        help="frozen uses the stored statistics, for small batches (default: trainable)",
    )
    parser.add_argument(
        "--mixed-precision",
        choices=("float16", "bfloat16"),
        help="compute in half precision, on a GPU or TPU with fast half precision",
    )


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe",
        choices=list(RECIPES),
        default="fine_tune",
        help="; ".join(f"{row.name}: {row.title}" for row in RECIPES.values())
        + " (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the images")
    parser.add_argument("--batch-size", type=int, metavar="N", help="images per step")
    parser.add_argument(
        "--crop-size",
        metavar="PIXELS",
        help="side of the square crops, or HEIGHTxWIDTH",
    )
    parser.add_argument("--learning-rate", type=float, metavar="RATE", help="at the start")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="training split (default: train, or all images if there are no splits)",
    )
    parser.add_argument(
        "--validation-split",
        metavar="NAME",
        help="validation split (default: val if it exists, else a tenth of the images)",
    )
    parser.add_argument(
        "--validate-every",
        type=int,
        default=1,
        metavar="N",
        help="number of epochs between validations (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        metavar="PIXELS",
        help="size that images are resized to fit: side of a square, or HEIGHTxWIDTH; stored in "
        "the network for segment and evaluate (default: the network's, the dataset's, or 513)",
    )
    parser.add_argument(
        "--class-weights",
        type=float,
        nargs="+",
        metavar="WEIGHT",
        help="weight of each class in the loss; check-data suggests values",
    )
    parser.add_argument(
        "--accumulate", type=int, default=1, metavar="N", help="batches per step (default: 1)"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=0,
        metavar="N",
        help="stop after N epochs without improvement (default: never)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="random seed of new layers, image order and augmentation (default: 0)",
    )


def _train(arguments: argparse.Namespace) -> int:
    size = read_size(arguments.size, own=False)
    crop = read_size(arguments.crop_size, own=False, option="--crop-size")
    if arguments.model not in ("none", "imagenet"):
        is_model_name(arguments.model)
    data, validation_data = _read(arguments)
    print(
        f"{reading(arguments.data, data)}\n{len(data)} images to train on, "
        f"{len(validation_data)} to measure on"
    )
    print(f"Building the network, starting from {arguments.model} ...", flush=True)
    with quiet_start():
        import keras

        keras.ops.zeros(1)
    from keras_deeplab.deeplab import DeepLab
    from keras_deeplab.training import train

    if arguments.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{arguments.mixed_precision}")
    keras.utils.set_random_seed(arguments.seed)
    model = DeepLab(
        None if arguments.model == "none" else arguments.model,
        version=arguments.version,
        backbone=arguments.backbone,
        output_stride=arguments.output_stride,
        batch_norm=arguments.batch_norm,
        classes=data.class_names,
    )
    changes = {name: getattr(arguments, name) for name in ("epochs", "batch_size", "learning_rate")}
    changes["crop_size"] = (crop, crop) if isinstance(crop, int) else crop
    try:
        result = train(
            model,
            data,
            Path(arguments.out),
            validation_data=validation_data,
            size=size,
            **{name: getattr(arguments, name) for name in _OPTIONS},
            **{name: value for name, value in changes.items() if value is not None},
        )
    except KeyboardInterrupt:
        print(
            f"keras-deeplab: interrupted. The same command resumes after the last completed epoch "
            f"in {arguments.out}.",
            file=sys.stderr,
        )
        return 130
    print(
        f"{result.best}: mean IoU {result.best_mean_iou:.3f} after epoch {result.best_epoch}\n"
        f"Curves: {result.folder / 'curves.png'}\n"
        f"Next: keras-deeplab segment PHOTO --model {result.best}"
    )
    return 0


def _read(arguments: argparse.Namespace) -> tuple[SegmentationFiles, SegmentationFiles]:
    """Returns the training and the validation images."""
    from keras_deeplab.data.formats import dataset_splits, read_splits

    there = dataset_splits(arguments.data, dataset=arguments.dataset)
    splits = [arguments.split or ("train" if "train" in there else None)]
    if held := arguments.validation_split or ("val" if "val" in there else None):
        splits.append(held)
    options = data_options(arguments)
    data, *rest = read_splits(arguments.data, splits, dataset=arguments.dataset, **options)
    if rest:
        return data, rest[0]
    if len(data) < 2:
        raise ValueError(
            f"There must be at least two images, one of them to measure on. Received: "
            f"{len(data)} in {arguments.data}."
        )
    every = min(10, len(data))
    others = [index for index in range(len(data)) if index % every]
    return data.subset(others), data.subset(range(0, len(data), every))
