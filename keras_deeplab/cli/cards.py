"""Model cards: the facts about a weights file, from the presets, in Markdown."""

from __future__ import annotations

from importlib.resources import files as package_files

from keras_deeplab._validation import suggestion
from keras_deeplab.presets.costs import COSTS
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.normalizations import NORMALIZATIONS
from keras_deeplab.presets.weights import WEIGHTS, Metric, WeightsRow

_NO_HASH = (
    "No hash was published: compare the recorded one with that of a copy that you trust. Nothing "
    "in the file is executed."
)


def card(name: str) -> str:
    """Returns the model card of a weights file.

    Args:
        name: A full name from `list_models()`, or a dataset's name for its recommended weights.

    Returns:
        Markdown: the facts of the presets, then the text that ships with a bundled file.

    Raises:
        ValueError: If the name is unknown.

    Example:

    >>> print(card("deeplab_v3_mobilenet_v2.voc_trainaug")[:38])
    # deeplab_v3_mobilenet_v2.voc_trainaug
    """
    row = _row(name)
    facts = "\n".join(f"- {key}: {value}" for key, value in _facts(row).items())
    limits = "\n".join(f"- {limit}" for limit in _limits(row))
    parts = [f"# {row.name}", facts, f"## Load\n\n{_load(row)}", f"## Limits\n\n{limits}"]
    return "\n\n".join([*parts, *_shipped(row)]) + "\n"


def metrics_text(metrics: tuple[Metric, ...]) -> str:
    """Returns mean IoUs with their protocol and source as text; empty without any."""
    return "; ".join(f"{m.mean_iou} ({m.protocol}; {m.source})" for m in metrics)


def file_text(row: WeightsRow) -> str:
    """Returns where a row's file is: its name in Markdown, linked to where it is published."""
    shown = f"[{row.file}]({row.url})" if row.url else f"{row.file}, in the package"
    return f"{shown}, of which {row.member}" if row.member else shown


def size_text(row: WeightsRow) -> str:
    """Returns the size of a row's file as text."""
    return f"{row.num_bytes / 1e6:.1f} MB" if row.num_bytes else "not known"


def _row(name: str) -> WeightsRow:
    recommended = {row.dataset: row for row in WEIGHTS.values() if row.recommended}
    row = WEIGHTS.get(name) or recommended.get(name)
    if row is None:
        raise ValueError(
            f"The name must be one that 'keras-deeplab list' shows, or a dataset with recommended "
            f"weights ({', '.join(recommended)}). Received: {name!r}."
            f"{suggestion(name, [*WEIGHTS, *recommended])}"
        )
    return row


def _facts(row: WeightsRow) -> dict[str, str]:
    network, dataset = DEEPLABS[row.network], DATASETS[row.dataset]
    cost = COSTS[row.network]
    height, width = row.inference_size or dataset.inference_size
    scales = ", ".join(f"{scale:g}" for scale in row.multi_scale_inputs)
    return {
        "network": f"{row.network}: DeepLab {network.version.replace('_plus', '+')} on "
        f"{network.backbone} ({network.source})",
        "classes": f"{len(dataset.class_names)}, from {dataset.title}",
        "trained on": row.trained_on,
        "output stride": f"{row.output_stride} as trained; "
        f"{', '.join(map(str, network.output_strides))} can be built"
        + (f"; scales {scales} of the image" if scales else ""),
        "preprocessing": f"in the network: RGB 0-255, {NORMALIZATIONS[row.preprocessing].title}; "
        f"photos are resized to fit {height}x{width}",
        "parameters": f"{cost.parameters / 1e6:.2f} M",
        "multiply-adds": f"{cost.multiply_adds / 1e9:.1f} G at 513x513 and the network's "
        f"output stride, {network.output_stride}",
        "mean IoU, published": metrics_text(row.metrics) or "none",
        "mean IoU, measured here": metrics_text(row.measured) or "none",
        "file": file_text(row),
        "size": size_text(row),
        "SHA-256": _hash(row),
        "licence": row.licence,
        "source": row.source,
    }


def _hash(row: WeightsRow) -> str:
    if row.sha256 is None:
        return "not published; that of the first download is recorded and checked from then on"
    return row.sha256 if len(row.sha256) == 64 else f"{row.sha256}... (as far as published)"


def _load(row: WeightsRow) -> str:
    alias = f" In both, `{row.dataset}` is an alias of this name." if row.recommended else ""
    return (
        f'```python\nfrom keras_deeplab import DeepLab\n\nmodel = DeepLab(weights="{row.name}")\n'
        f"```\n\nOn the command line: `keras-deeplab segment PHOTO --model {row.name}`.{alias}"
    )


def _limits(row: WeightsRow) -> list[str]:
    dataset = DATASETS[row.dataset]
    classes = len(dataset.class_names)
    limits = _grids(row)
    if dataset.class_names[0] == "background":
        limits.append(f"It recognises {classes - 1} classes; everything else is background.")
    else:
        limits.append(f"It assigns every pixel to one of its {classes} classes.")
    if row.trained_on_val:
        limits.append(
            "It was trained on its dataset's validation images, so its accuracy on those images "
            "does not predict its accuracy on new photos."
        )
    if row.batch_norm == "folded":
        limits.append(
            "Batch norm is folded into its convolutions: fine-tuning updates weights and biases, "
            "but no batch norm statistics."
        )
    if row.url is not None and not row.measured:
        limits.append(
            "This project could not download the published file; its reader was tested on files "
            "of the same layout with random weights."
        )
    if (row.url or "").startswith("http://"):
        limits.append(
            "Its address is known with http only, which does not protect the download. "
            + ("Its hash does." if row.sha256 else _NO_HASH)
        )
    if row.licence == "NOASSERTION":
        limits.append("Its publisher states no licence.")
    return limits


def _grids(row: WeightsRow) -> list[str]:
    """Returns notes on padding and resize grid, which matter when scores are compared."""
    notes = []
    if row.padding == "tensorflow":
        notes.append(
            "It pads strided convolutions as in training, with TensorFlow's `SAME`: at even "
            "heights and widths on the bottom and right only. Features at different output "
            "strides correspond exactly at odd sizes, such as the 513x513 of `segment`."
        )
    if row.multi_scale_inputs and not row.align_corners:
        notes.append(
            "It was trained with PyTorch before 1.6, whose resize by a factor took the pixels from "
            "the rounded size; this network does too. Today's PyTorch takes exactly 1 / scale, so "
            "the publisher's code gives other scores there at sizes that are no multiples of 4."
        )
    return notes


def _shipped(row: WeightsRow) -> list[str]:
    """Returns the text that ships next to a bundled weights file, if any."""
    path = package_files("keras_deeplab").joinpath("weights", "bundled", f"{row.name}.md")
    return [path.read_text(encoding="utf-8").strip()] if path.is_file() else []
