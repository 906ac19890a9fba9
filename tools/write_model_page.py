"""Writes docs/models.md: every network and every model card, from the presets.

python tools/write_model_page.py
"""

from __future__ import annotations

import re
from pathlib import Path

from keras_deeplab.cli.cards import card, metrics_text, size_text
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
_INTRODUCTION = """\
# Models

This page is generated from the package's presets by `python tools/write_model_page.py`.
`keras-deeplab list` prints the same data, and `keras-deeplab list --card NAME` prints one model
card. For help with choosing a model, see [choosing.md](choosing.md).
"""


def page() -> str:
    cards = "\n".join(re.sub("^#", "###", card(name), flags=re.MULTILINE) for name in WEIGHTS)
    return "\n".join([_INTRODUCTION, _networks(), _weights(), "## Cards\n", cards])


def _networks() -> str:
    lines = [
        "## Networks\n",
        "Parameters are for 21 classes. Multiply-adds are for one 513x513 image at the listed "
        "output stride, which is the network's default.\n",
        "| network | backbone | output stride | parameters | multiply-adds | weights |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in DEEPLABS.items():
        cost = COSTS[name]
        number = sum(weights.network == name for weights in WEIGHTS.values())
        lines.append(
            f"| `{name}` | {row.backbone} | {row.output_stride} | {cost.parameters / 1e6:.1f} M "
            f"| {cost.multiply_adds / 1e9:.1f} G | {number or ''} |"
        )
    return "\n".join([*lines, ""])


def _weights() -> str:
    lines = ["## Weights\n", "Bold: the default weights of the dataset.\n"]
    for dataset, facts in DATASETS.items():
        rows = [row for row in WEIGHTS.values() if row.dataset == dataset]
        if not rows:
            continue
        lines += [
            f"### {facts.title}, {len(facts.class_names)} classes\n",
            "| weights | mean IoU, published | measured here | size | licence |",
            "|---|---|---|---|---|",
        ]
        for row in rows:
            link = f"[`{row.name}`](#{re.sub('[^a-z0-9_-]', '', row.name)})"
            lines.append(
                f"| {f'**{link}**' if row.recommended else link} | {metrics_text(row.metrics)} "
                f"| {metrics_text(row.measured)} | {size_text(row)} | {row.licence} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
