"""`keras-deeplab list`: every network and its weights."""

from __future__ import annotations

import argparse
import json
from typing import Any

from keras_deeplab.cli.arguments import add_options
from keras_deeplab.cli.cards import card, metrics_text, size_text
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS, WeightsRow


def add_parser(commands: Any) -> None:
    """Adds the command."""
    listing = commands.add_parser(
        "list",
        help="show the trained networks",
        description="Shows the trained networks: names for --model, mean IoU and size.",
        epilog="Example: keras-deeplab list --long",
    )
    add_options(
        listing.add_mutually_exclusive_group(),
        """
        --long: show every file of weights, with licence and source, and networks without weights
        --json: print everything as JSON
        --card NAME: print the model card of these weights, in Markdown
        """,
    )
    listing.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.card is not None:
        print(card(arguments.card), end="")
        return 0
    if not (arguments.json or arguments.long):
        print(_table())
        return 0
    rows = [_row(network) for network in DEEPLABS]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(
            f"{row['network']}: {row['parameters'] / 1e6:.1f} M parameters, "
            f"{row['multiply_adds'] / 1e9:.1f} G multiply-adds at 513x513"
        )
        for weights in row["weights"] or [{"name": "(no weights)"}]:
            print(f"  {weights.pop('name')}")
            for key, value in weights.items():
                print(f"    {key.replace('_', ' '):<12}{value}")
    return 0


def _table() -> str:
    """Returns one line for each network and dataset, with the best of its weights."""
    lines = [f"{'--model':<50}{'mean IoU':>9} {'parameters':>12}"]
    for dataset in dict.fromkeys(row.dataset for row in WEIGHTS.values()):
        rows = [row for row in WEIGHTS.values() if row.dataset == dataset]
        recommended = next((row.name for row in rows if row.recommended), None)
        alias = f" ({dataset} is {recommended.partition('.')[0]})" if recommended else ""
        lines.append(
            f"{DATASETS[dataset].title}, {len(DATASETS[dataset].class_names)} classes{alias}"
        )
        for network in dict.fromkeys(row.network for row in rows):
            row = max((row for row in rows if row.network == network), key=_rank)
            iou = _iou_text(row)
            parameters = f"{COSTS[row.network].parameters / 1e6:.1f} M"
            lines.append(f"  {row.name:<48}{iou:>10}{parameters:>12}")
    lines += [
        "* not published; measured here, on a part of val",
        f"All {len(WEIGHTS)} files and {len(DEEPLABS)} networks: keras-deeplab list --long",
        "One in detail: keras-deeplab list --card NAME",
    ]
    return "\n".join(lines)


def _rank(row: WeightsRow) -> tuple[bool, bool, float]:
    return row.recommended, not row.trained_on_val, _mean_iou(row)


def _mean_iou(row: WeightsRow) -> float:
    """Returns the published mean IoU without averaging, or 0."""
    return min((metric.mean_iou for metric in row.metrics), default=0)


def _iou_text(row: WeightsRow) -> str:
    if _mean_iou(row):
        return f"{_mean_iou(row):.3f} "
    measured = [metric.mean_iou for metric in row.measured if " val" in metric.protocol]
    return f"{min(measured):.3f}*" if measured else "- "


def _row(network: str) -> dict[str, Any]:
    return {
        "network": network,
        **COSTS[network]._asdict(),
        "weights": [
            {
                "name": row.name,
                "dataset": row.dataset,
                "trained_on": row.trained_on,
                "size": size_text(row),
                "mean_iou": "; ".join(f"{m.mean_iou} ({m.protocol})" for m in row.metrics)
                + (" - trained on the validation images" if row.trained_on_val else ""),
                "measured": metrics_text(row.measured) or "not here",
                "licence": row.licence,
                "source": row.url or "in the package",
            }
            for row in WEIGHTS.values()
            if row.network == network
        ],
    }
