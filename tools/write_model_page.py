"""Writes docs/models.md: every network and every model card, from the presets.

    python tools/write_model_page.py

How each weights file was checked comes from docs/verified.json (tools/verify_weights.py) and from
the comparisons with other implementations in docs. README's table of these is written as well.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from keras_deeplab.cli.cards import card, metrics_text, size_text
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS, WeightsRow

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "models.md", ROOT / "README.md"
_VERIFIED = ROOT / "docs" / "verified.json"
_PEER = "reader tested with the publisher's code"
_INDEPENDENT = "reader tested with an independent network"
# What a reader was compared with: a file in docs, and the start of a case in it.
_COMPARISONS = {
    "caffe": (("compare_with_torch", "caffe_", _INDEPENDENT),),
    "hugging_face": (("compare_with_peers", "transformers ", _PEER),),
    "kazuto": (
        ("compare_with_peers", "kazuto1011 DeepLabV2_", _PEER),
        ("compare_with_torch", "kazuto_", _INDEPENDENT),
    ),
    "mmseg": (
        ("compare_with_peers", "mmsegmentation ", _PEER),
        ("compare_with_torch", "mmseg_", _INDEPENDENT),
    ),
    "tf_slim": (("compare_with_peers", "TF-Slim ", _INDEPENDENT),),
    "torchvision": (
        ("compare_with_peers", "torchvision deeplabv3_resnet", _PEER),
        ("compare_with_torch", "torchvision_", _PEER),
    ),
    "torchvision_mobilenet": (("compare_with_peers", "torchvision deeplabv3_mobilenet", _PEER),),
}
_MEANINGS = {
    "verified": "fetched, hash compared, and the network recognises what photos show",
    "loaded": "fetched, hash compared, and the network runs",
    _PEER: "not fetched; files with random weights that the publisher's code wrote give the same "
    "scores",
    _INDEPENDENT: "not fetched; files of its layout with random weights give the scores of an "
    "independent implementation",
    "never": "not fetched; the reader was tested on small files of its layout only",
}
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


def checked(row: WeightsRow) -> str:
    """Returns how the file of a row was checked: a key of `_MEANINGS`."""
    verified = json.loads(_VERIFIED.read_text(encoding="utf-8"))["weights"]
    status = verified.get(row.name, {}).get("status")
    if status in ("verified", "loaded"):
        return str(status)
    for file, start, words in _COMPARISONS.get(row.converter, ()):
        path = ROOT / "docs" / f"{file}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        results = [json.loads(line) for line in lines]
        if any(result.get("case", next(iter(result))).startswith(start) for result in results):
            return words
    return "never"


def readme(text: str) -> str:
    """Returns README's text with the table of how the weights files were checked."""
    counts = Counter(checked(row) for row in WEIGHTS.values())
    lines = ["| weights files | checked |", "|---|---|"]
    lines += [
        f"| {counts[key]} | {key}: {meaning} |" for key, meaning in _MEANINGS.items() if counts[key]
    ]
    return re.sub(
        "(<!-- checked -->\n).*?(<!-- end -->)",
        lambda found: found[1] + "\n".join(lines) + "\n" + found[2],
        text,
        flags=re.DOTALL,
    )


def _weights() -> str:
    lines = ["## Weights\n", "Bold: the default weights of the dataset. Checked:\n"]
    lines += [f"- {key}: {meaning}" for key, meaning in _MEANINGS.items()]
    lines += ["\n`python tools/verify_weights.py` fetches and verifies the files.\n"]
    for dataset, facts in DATASETS.items():
        rows = [row for row in WEIGHTS.values() if row.dataset == dataset]
        if not rows:
            continue
        lines += [
            f"### {facts.title}, {len(facts.class_names)} classes\n",
            "| weights | mean IoU, published | measured here | checked | size | licence |",
            "|---|---|---|---|---|---|",
        ]
        for row in rows:
            link = f"[`{row.name}`](#{re.sub('[^a-z0-9_-]', '', row.name)})"
            lines.append(
                f"| {f'**{link}**' if row.recommended else link} | {metrics_text(row.metrics)} "
                f"| {metrics_text(row.measured)} | {checked(row)} | {size_text(row)} "
                f"| {row.licence} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
