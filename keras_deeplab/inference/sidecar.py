"""The JSON metadata file of an exported network: its inputs, outputs and classes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_deeplab.presets.datasets import Palette

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Sidecar:
    """The metadata of an export; None for missing values.

    Attributes:
        path: Path of the metadata file, which may not exist.
        class_names: Names by label id.
        palette: RGB colours by label id.
        ignore_class: Label that was ignored in training.
        output: "logits", "probabilities" or "labels".
        inference_size: (height, width) that photos are resized to fit.
    """

    path: Path
    class_names: tuple[str, ...] | None = None
    palette: Palette | None = None
    ignore_class: int | None = None
    output: str | None = None
    inference_size: tuple[int, int] | None = None


def sidecar_path(network: Path) -> Path:
    """Returns `keras_deeplab.json` in a SavedModel folder, or `{file}.json` next to a file."""
    if network.is_dir():
        return network / "keras_deeplab.json"
    return network.with_name(f"{network.name}.json")


def read_sidecar(network: Path) -> Sidecar:
    """Reads the metadata of an export from its `sidecar_path`.

    Raises:
        ValueError: If it is damaged, of another version, or its input is not RGB 0-255.
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
