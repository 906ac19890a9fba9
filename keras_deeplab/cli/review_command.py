"""`keras-deeplab review`: likely label errors, and photos that are worth labelling."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from keras_deeplab._files import write_text
from keras_deeplab.cli.arguments import (
    add_inference,
    add_network,
    add_options,
    resolve_inference,
    resolve_network,
)
from keras_deeplab.cli.check_data_command import add_data_arguments, data_options, reading
from keras_deeplab.cli.startup import start_keras


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "review",
        help="find likely label errors, and photos that are worth labelling",
        description="Compares the labels of a dataset with a network's masks and ranks the photos "
        "by their disagreement. Writes review.html, review.json and to_review.txt. With --photos, "
        "it also chooses photos without labels that are most worth labelling: to_label.txt, and "
        "to_label.json for Label Studio.",
        epilog="Example: keras-deeplab review --data photos --model runs/first/best.keras",
    )
    add_data_arguments(parser)
    add_options(parser, "--split NAME: split of the dataset (default: all)")
    add_network(parser)
    add_inference(parser, crf="refine the masks with a dense CRF")
    add_options(
        parser,
        """
        --photos DIR: folder of photos without labels to choose from
        --count N: photos to show
        --out DIR: folder to write to
        """,
        count=50,
        out="reviewed",
    )
    parser.set_defaults(run=_review)


def _review(arguments: argparse.Namespace) -> int:
    start_keras()
    from keras_deeplab.data.formats import dataset_splits, read_splits
    from keras_deeplab.evaluation.label_review import review
    from keras_deeplab.evaluation.review_page import write_review

    options = resolve_inference(arguments)
    splits = [arguments.split]
    if arguments.split is None:
        splits = [*dataset_splits(arguments.data, dataset=arguments.dataset)] or [None]
    sources = read_splits(
        arguments.data, splits, dataset=arguments.dataset, **data_options(arguments)
    )
    print(reading(arguments.data, sources[0]))
    network = resolve_network(arguments, sources[0].class_names)
    pairs = [
        (source, one) for source in sources for one in review(network, source, options=options)
    ]
    pairs.sort(key=lambda pair: -pair[1].score)
    out = Path(arguments.out).expanduser()
    page = write_review(pairs, network, out, count=arguments.count, options=options)
    rows = [asdict(one) | {"image": str(one.image)} for _, one in pairs]
    write_text(out / "review.json", json.dumps(rows, indent=1) + "\n")
    listed = "".join(f"{one.image}\n" for _, one in pairs[: arguments.count])
    write_text(out / "to_review.txt", listed)
    for _, one in pairs[:10]:
        region = one.regions[0] if one.regions else None
        words = f": {region.kind}, {region.labelled} or {region.predicted}" if region else ""
        print(f"  {one.score:.4f} {one.image}{words}")
    print("\n".join(str(out / name) for name in (page.name, "review.json", "to_review.txt")))
    if arguments.photos:
        _choose(arguments, network, out, options)
    return 0


def _choose(arguments: argparse.Namespace, network: Any, out: Path, options: Any) -> None:
    from keras_deeplab.data.images import folder_images
    from keras_deeplab.evaluation.label_review import worth_labelling

    folder = Path(arguments.photos).expanduser()
    chosen = worth_labelling(
        network, list(folder_images(folder)), count=arguments.count, options=options
    )
    write_text(out / "to_label.txt", "".join(f"{path}\n" for path, _ in chosen))
    tasks = [
        {
            "data": {"image": f"/data/local-files/?d={quote(path.relative_to(folder).as_posix())}"},
            "meta": {"uncertainty": value},
        }
        for path, value in chosen
    ]
    write_text(out / "to_label.json", json.dumps(tasks, indent=1) + "\n")
    print(f"{out / 'to_label.txt'}\n{out / 'to_label.json'}")
