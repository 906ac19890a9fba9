"""`keras-deeplab list`: every network and its weights."""

from __future__ import annotations

import argparse
import json
from typing import Any

from keras_deeplab.cli.cards import card, metrics_text, size_text
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS


def add_parser(commands: Any) -> None:
    """Adds the command."""
    listing = commands.add_parser(
        "list",
        help="show every network and its weights",
        description="Shows every network and its pretrained weights.",
    )
    shown = listing.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON instead of a table")
    shown.add_argument(
        "--card", metavar="NAME", help="print the model card of these weights, in Markdown"
    )
    listing.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.card is not None:
        print(card(arguments.card), end="")
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
