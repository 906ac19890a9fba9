"""An opened network, and the JSON metadata of its export: inputs, outputs and classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab._files import check_file
from keras_deeplab.presets.datasets import Palette

FORMAT_VERSION = 1
# Name of the entry with the same content inside TFLite and ONNX files.
METADATA = "keras_deeplab"
# Largest side of an inference size, pixels.
_LARGEST = 16384


@dataclass(frozen=True)
class Sidecar:
    """The metadata of an export; None for missing values.

    `Segmenter` describes the attributes of the same names. The file at `path` may not exist, and
    `images` has the range and layout of the images.
    """

    path: Path
    class_names: tuple[str, ...] | None = None
    palette: Palette | None = None
    ignore_class: int | None = None
    output: str | None = None
    inference_size: tuple[int, int] | None = None
    images: Mapping[str, Any] = field(default_factory=dict)

    def check_images(self) -> None:
        """Raises `ValueError` unless the network takes RGB 0-255, channels last."""
        for key, value in (("range", "RGB 0-255"), ("layout", "NHWC")):
            if self.images.get(key, value) != value:
                raise ValueError(
                    f"The network must take images of {key} {value}. Received: {self.path} with "
                    f"{self.images[key]!r}. Export a model with include_preprocessing=True."
                )


class Opened(NamedTuple):
    """A network as returned by the reader of its format.

    Attributes:
        run: Function from uint8 images, (batch, height, width, 3), to float32 scores or to labels.
        input_shape: Shape of the images, as the file states it; None for dynamic dimensions.
        sidecar: Metadata that the export wrote next to the file.
        name: Name of the file.
        batch_size: Default number of images per call.
        classes: Number of classes of a Keras model; None for files, which do not state it.
    """

    run: Callable[[np.ndarray], np.ndarray]
    input_shape: tuple[int | None, ...]
    sidecar: Sidecar
    name: str
    batch_size: int = 1
    classes: int | None = None


def scores_or_labels(result: np.ndarray) -> np.ndarray:
    """Returns float32 scores, or labels without a last dimension of 1."""
    if not np.issubdtype(result.dtype, np.integer):
        return result.astype("float32", copy=False)
    return result[..., 0] if result.ndim == 4 and result.shape[-1] == 1 else result


def sidecar_path(network: Path) -> Path:
    """Returns `keras_deeplab.json` in a SavedModel folder, or `{file}.json` next to a file."""
    if network.is_dir():
        return network / "keras_deeplab.json"
    return network.with_name(f"{network.name}.json")


def read_sidecar(network: Path, embedded: str | bytes | None = None) -> Sidecar:
    """Reads the metadata of an export from its `sidecar_path`, or else from the file itself.

    Raises:
        ValueError: If it is damaged or of another version.
    """
    path, text = sidecar_path(network), embedded
    if path.exists():
        check_file(path, "The description of a network")
        text = path.read_bytes()
    elif text is None:
        return Sidecar(path)
    else:
        path = network
    try:
        content = json.loads(text)
        if "format_version" not in content:
            raise ValueError("no format_version")
        if content["format_version"] == FORMAT_VERSION:
            return _parsed(path, content)
    except (
        AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise ValueError(
            f"{path} must describe an export of keras_deeplab. Received: {error!r}. Export "
            f"{network.name} again, or remove the description and pass class_names (on the shell, "
            f"--class-names or --dataset)."
        ) from error
    raise ValueError(
        f"{path} must have format_version {FORMAT_VERSION}. Received: "
        f"{content['format_version']!r}. Update keras_deeplab."
    )


def _parsed(path: Path, content: dict[str, Any]) -> Sidecar:
    names, palette, size = (content.get(x) for x in ("class_names", "palette", "inference_size"))
    ignored = content.get("ignore_class")
    if not isinstance(names, list) or not names:
        raise ValueError(f"class_names={names!r}")
    if palette is not None:
        palette = tuple((_int(r, 255), _int(g, 255), _int(b, 255)) for r, g, b in palette)
        if len(palette) < len(names):
            raise ValueError(f"{len(palette)} colours for {len(names)} classes")
    if size is not None:
        height, width = size
        size = (_int(height, _LARGEST), _int(width, _LARGEST))
        if not min(size):
            raise ValueError(f"inference_size={size}")
    return Sidecar(
        images=content["input"] if isinstance(content.get("input"), dict) else {},
        path=path,
        class_names=tuple(str(name) for name in names),
        palette=palette,
        ignore_class=None if ignored is None else _int(ignored, 65535),
        output=(content.get("output") or {}).get("kind"),
        inference_size=size,
    )


def _int(value: Any, largest: int) -> int:
    if int(value) != value or not 0 <= value <= largest:
        raise ValueError(f"{value!r}, not an integer from 0 to {largest}")
    return int(value)
