"""`keras-deeplab train`: fine-tunes a network on images and masks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab.cli.arguments import (
    BACKBONE,
    add_model,
    add_options,
    is_model_name,
    read_size,
)
from keras_deeplab.cli.check_data_command import add_data_arguments, data_options, reading
from keras_deeplab.cli.startup import start_keras
from keras_deeplab.presets.applications import BACKBONE_NAMES
from keras_deeplab.presets.recipes import RECIPES

# Options that have the same name in `train`: those that identify a run, and fields of its recipe.
_SETTINGS = ("recipe", "class_weights", "accumulate", "seed")
_CHANGES = ("epochs", "batch_size", "learning_rate")

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
    add_options(
        parser,
        """
        --out RUN: folder of the run
        --split NAME: training split (default: train, or all images if there are no splits)
        --validation-split NAME: validation split (default: val if it exists, else a tenth of the
            images)
        --validate-every N: number of epochs between validations
        --size PIXELS: size that images are resized to fit: side of a square, or HEIGHTxWIDTH;
            stored in the network for segment and evaluate (default: the network's, the dataset's,
            or 513)
        --class-weights WEIGHT: weight of each class in the loss; check-data suggests values
        --accumulate N: batches per step
        --patience N: stop after N epochs without improvement (default: never)
        --seed N: random seed of new layers, image order and augmentation
        """,
        out={"required": True},
        validate_every=1,
        class_weights={"type": float, "nargs": "+"},
        accumulate=1,
        patience={"type": int, "default": 0},
        seed=0,
    )
    add_model(
        parser,
        "initial weights: name (see 'keras-deeplab list'), .keras file, imagenet or none "
        "(default: %(default)s)",
    )
    add_options(
        parser,
        f"""
        --version: network's version
        {BACKBONE}
        --output-stride: input pixels per feature pixel
        --batch-norm: frozen uses the stored statistics, for small batches (default: trainable)
        --mixed-precision: compute in half precision, on a GPU or TPU with fast half precision
        --recipe: {"; ".join(f"{row.name}: {row.title}" for row in RECIPES.values())} (default:
            %(default)s)
        --epochs N: passes over the images
        --batch-size N: images per step
        --crop-size PIXELS: side of the square crops, or HEIGHTxWIDTH
        --learning-rate RATE: at the start
        """,
        version=("v1", "v2", "v3", "v3+"),
        backbone=BACKBONE_NAMES,
        output_stride={"type": int, "choices": (8, 16, 32)},
        batch_norm=("trainable", "frozen"),
        mixed_precision=("float16", "bfloat16"),
        recipe={"choices": list(RECIPES), "default": "fine_tune"},
        epochs=int,
        batch_size=int,
        learning_rate=float,
    )
    parser.set_defaults(run=_train)


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
    start_keras()
    import keras

    from keras_deeplab.deeplab import DeepLab
    from keras_deeplab.training import train
    from keras_deeplab.training.run_folder import check_run

    changes = {name: getattr(arguments, name) for name in _CHANGES}
    changes["crop_size"] = (crop, crop) if isinstance(crop, int) else crop
    settings: dict[str, Any] = dict(
        validation_data=validation_data,
        size=size,
        **{name: getattr(arguments, name) for name in _SETTINGS},
        **{name: value for name, value in changes.items() if value is not None},
    )
    out = Path(arguments.out).expanduser()
    check_run(data, out, **settings)
    print(f"Building the network, starting from {arguments.model} ...", flush=True)
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
    options = dict(validate_every=arguments.validate_every, patience=arguments.patience)
    try:
        result = train(model, data, out, **settings, **options)
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
