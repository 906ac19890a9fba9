"""The JSON file beside an exported network: what its pixels and classes mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_deeplab.presets.datasets import Palette

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Sidecar:
    """What an export says of itself; None where it doesn't.

    Attributes:
        path: Where the file is, or should be.
        class_names: Names by label id.
        palette: RGB colours by label id.
        ignore_class: True label that training left out.
        output: "logits", "probabilities" or "labels".
        inference_size: (height, width) that photos are fitted into.
    """

    path: Path
    class_names: tuple[str, ...] | None = None
    palette: Palette | None = None
    ignore_class: int | None = None
    output: str | None = None
    inference_size: tuple[int, int] | None = None


def sidecar_path(network: Path) -> Path:
    """Returns `keras_deeplab.json` in the folder of a SavedModel, `{file}.json` beside a file."""
    if network.is_dir():
        return network / "keras_deeplab.json"
    return network.with_name(f"{network.name}.json")


def read_sidecar(network: Path) -> Sidecar:
    """Reads what an export says of itself, from its `sidecar_path`.

    Raises:
        ValueError: If it is damaged, of another version, or wants images other than RGB 0-255.
    """
    path = sidecar_path(network)
    if not path.exists():
        return Sidecar(path)
    try:
        return _parsed(path, json.loads(path.read_text("utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must describe an export of keras_deeplab. Received: {error!r}. Export "
            f"{network.name} again, or remove the description and pass class_names (on the shell, "
            f"--dataset)."
        ) from error


def _parsed(path: Path, content: dict[str, Any]) -> Sidecar:
    if content["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"{path} must have format_version {FORMAT_VERSION}. Received: "
            f"{content['format_version']!r}. Update keras_deeplab."
        )
    images = content.get("input") or {}
    for key, value in (("range", "RGB 0-255"), ("layout", "NHWC")):
        if images.get(key, value) != value:
            raise ValueError(
                f"The network must take images of {key} {value}. Received: {path} with "
                f"{images[key]!r}. Export a model with include_preprocessing=True."
            )
    palette = content.get("palette")
    size = content.get("inference_size")
    return Sidecar(
        path=path,
        class_names=tuple(str(name) for name in content["class_names"]),
        palette=None if palette is None else tuple((r, g, b) for r, g, b in palette),
        ignore_class=content.get("ignore_class"),
        output=(content.get("output") or {}).get("kind"),
        inference_size=None if size is None else (int(size[0]), int(size[1])),
    )
