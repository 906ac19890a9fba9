"""Networks and uploaded photos of the demo page."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from PIL import Image

from keras_deeplab.cli.arguments import is_model_name
from keras_deeplab.deeplab import DeepLab
from keras_deeplab.inference import Segmenter, open_segmenter
from keras_deeplab.inference.segment_photos import segment
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights.download import cache_folder


def local_models() -> list[str]:
    """Returns "voc" and the names of the weights already downloaded to this machine."""
    mirror = os.environ.get("KERAS_DEEPLAB_MIRROR", "")
    folders = [cache_folder()]
    if mirror and "://" not in mirror:
        folders.append(Path(mirror).expanduser())
    bundled = Path(str(package_files("keras_deeplab"))) / "weights" / "bundled"
    return ["voc"] + [
        row.name
        for row in WEIGHTS.values()
        if not (row.recommended and row.dataset == "voc")
        and any((f / row.file).is_file() for f in ([bundled] if row.url is None else folders))
    ]


def segment_photo(
    model: Any, path: str | Path, *, crf: str | bool, max_megapixels: float
) -> Segmentation:
    """Segments an uploaded photo; checks its size before decoding its pixels.

    Raises:
        ValueError: If the file is not a photo, is damaged, or has more pixels than allowed.
    """
    name = Path(path).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                with Image.open(path) as image:
                    width, height = image.size
            except (OSError, SyntaxError):
                width = height = 0  # `segment` reports the error
            if width * height > max_megapixels * 1e6:
                raise ValueError(
                    f"The photo must have at most {max_megapixels:g} megapixels. Received: "
                    f"{width}x{height}. Scale it down, or start with a higher --max-megapixels."
                )
            return segment(model, path, crf=crf)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name}: The photo must have at most {max_megapixels:g} megapixels. Received: many "
            f"more. Scale it down."
        ) from error
    except (ValueError, OSError) as error:
        raise ValueError(f"{name}: {str(error).replace(str(path), name)}") from error


def finder(model: str | None) -> Callable[[str], Segmenter]:
    """Returns the function that opens a network by name; with `model`, it always is that one."""
    if model:
        opened = open_segmenter(DeepLab(weights=model) if is_model_name(model) else model)
        return lambda name: opened

    @lru_cache(maxsize=2)
    def find(name: str) -> Segmenter:
        return open_segmenter(DeepLab(weights=name))

    return find
