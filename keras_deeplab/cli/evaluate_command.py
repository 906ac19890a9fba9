"""`keras-deeplab evaluate`: metrics and a report, or masks for evaluation servers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab.cli.arguments import (
    add_inference,
    add_network,
    add_options,
    resolve_inference,
    resolve_network,
)
from keras_deeplab.cli.check_data_command import add_data_arguments, data_options, reading
from keras_deeplab.cli.startup import start_keras
from keras_deeplab.presets.datasets import DATASETS

if TYPE_CHECKING:
    from keras_deeplab.inference.options import InferenceOptions


def add_parser(commands: Any) -> None:
    """Adds the command."""
    evaluate = commands.add_parser(
        "evaluate",
        help="evaluate masks against the ground truth and write a report",
        description="Evaluates a network or an exported file on images with true masks: mean IoU, "
        "IoU by class, boundaries, time. Writes result.json and report.html, a single file for "
        "the browser. With --submission, it writes masks for an evaluation server instead.",
        epilog="Example: keras-deeplab evaluate --data VOCdevkit --split val --model voc --crf",
    )
    add_data_arguments(evaluate)
    add_options(evaluate, "--split NAME: split of the dataset (default: val)")
    add_network(evaluate)
    add_inference(evaluate, crf="also evaluate with a dense CRF")
    add_options(
        evaluate,
        """
        --out DIR: folder to write to
        --limit N: stop after N images
        --submission: write masks for this evaluation server; --data needs no masks (default split:
            test)
        --json: print JSON instead of a table
        """,
        out="evaluated",
        limit=int,
        submission=("voc", "cityscapes"),
    )
    evaluate.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    start_keras()
    options = resolve_inference(arguments)
    if arguments.submission:
        return _submit(arguments, options)
    from keras_deeplab.evaluation.measure import dataset_names, evaluate
    from keras_deeplab.evaluation.report import write_report

    data = _data(arguments)
    if not arguments.json:
        print(reading(arguments.data, data))
    network = resolve_network(arguments, dataset_names(data))
    result = evaluate(network, data, limit=arguments.limit, progressbar=None, options=options)
    files = write_report(result, arguments.out, training_log=_training_log(arguments.model))
    if arguments.json:
        print(json.dumps(result.to_dict(), allow_nan=False))
    else:
        print(_table(result))
        print("\n".join(f"  {file}" for file in files))
    return int(bool(result.left_out))


def _training_log(model: str) -> list[dict[str, float]]:
    """Returns the log of the run that a network is in the folder of; empty if it is in none."""
    from keras_deeplab.training.callbacks import read_log

    path = Path(model).expanduser()
    return read_log(path.with_name("log.csv")) if path.suffix == ".keras" else []


def _submit(arguments: argparse.Namespace, options: InferenceOptions) -> int:
    from keras_deeplab.evaluation.submission import submission_images, write_submission

    images = submission_images(
        arguments.data, arguments.submission, split=arguments.split or "test"
    )[: arguments.limit]
    files = write_submission(
        resolve_network(arguments, DATASETS[arguments.submission].class_names),
        [(path.stem, path) for path in images],
        arguments.out,
        kind=arguments.submission,
        progressbar=None,
        options=options,
    )
    if arguments.json:
        print(json.dumps([str(file) for file in files]))
    else:
        print(f"{len(files)} masks\n  {files[0].parent}")
    return 0


def _data(arguments: argparse.Namespace) -> Any:
    from keras_deeplab.data.formats import dataset_splits, read_dataset

    split = arguments.split
    if split is None:
        splits = dataset_splits(arguments.data, dataset=arguments.dataset)
        split = "val" if "val" in splits else None
    return read_dataset(arguments.data, split, dataset=arguments.dataset, **data_options(arguments))


def _table(result: Any) -> str:
    from keras_deeplab.evaluation.page import duration, percent

    results = [result] if result.crf is None else [result, result.crf]
    heads = ["", *("network", "with CRF")[: len(results)]]
    rows = [heads]
    for label, name in enumerate(result.class_names):
        rows.append([name, *(percent(one.class_iou[label]) for one in results)])
    rows.append([""] * len(heads))
    for words, key in (
        ("mean IoU", "mean_iou"),
        ("mean IoU, true classes", "mean_iou_in_truth"),
        ("pixel accuracy", "pixel_accuracy"),
        ("frequency-weighted IoU", "frequency_weighted_iou"),
        ("boundary IoU", "boundary_iou"),
    ):
        rows.append([words, *(percent(getattr(one, key)) for one in results)])
    rows.append(["time per image", *(duration(one.seconds_per_image) for one in results)])
    rows.append(["images", str(len(result.images))])
    if result.left_out:
        rows.append(["left out, not readable", str(len(result.left_out))])
    width = max(len(row[0]) for row in rows)
    return "\n".join(
        (f"{row[0]:<{width}}" + "".join(f"{cell:>11}" for cell in row[1:])).rstrip() for row in rows
    )
