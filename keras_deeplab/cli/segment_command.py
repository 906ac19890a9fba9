"""`keras-deeplab segment`: masks and overlays of photos."""

from __future__ import annotations

import argparse
import glob
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_deeplab._files import make_folder
from keras_deeplab.cli.arguments import (
    add_inference,
    add_network,
    resolve_inference,
    resolve_network,
)
from keras_deeplab.cli.startup import error_text, quiet_start

if TYPE_CHECKING:
    from keras_deeplab.inference import InferenceOptions, Segmentation

Written = tuple[tuple[Path, ...], dict[str, float]]


def add_parser(commands: Any) -> None:
    """Adds the command."""
    segment = commands.add_parser(
        "segment",
        help="write the mask and an overlay of each photo",
        description="Segments photos. For each photo it writes NAME_mask.png (pixel "
        "values are label ids) and NAME_overlay.png (a colour preview), and prints the share of "
        "pixels of each class.",
        epilog="Example: keras-deeplab segment photo.jpg --out masks",
    )
    segment.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="image file, folder of images, or quoted pattern"
    )
    segment.add_argument(
        "--out",
        default="segmented",
        metavar="DIR",
        help="folder to write to (default: %(default)s)",
    )
    add_network(segment)
    add_inference(segment, crf="refine the masks with a dense CRF")
    segment.add_argument(
        "--opacity", type=float, default=0.5, help="overlay opacity, 0 to 1 (default: %(default)s)"
    )
    segment.add_argument(
        "--no-overlay",
        action="store_false",
        dest="overlay",
        help="write only the masks, which is faster",
    )
    segment.add_argument(
        "--json", action="store_true", help="print one JSON object per photo instead of text"
    )
    segment.set_defaults(run=_segment)


def _segment(arguments: argparse.Namespace) -> int:
    photos = _photo_paths(arguments.photos)
    if not 0 <= arguments.opacity <= 1:
        raise ValueError(f"--opacity must be between 0 and 1. Received: {arguments.opacity}.")
    make_folder(Path(arguments.out).expanduser())
    with quiet_start():
        import keras

        keras.ops.zeros(1)
        if arguments.crf:
            _first_crf()
    from tqdm import tqdm

    model = resolve_network(arguments)
    results = segment_files(
        model,
        photos,
        arguments.out,
        options=resolve_inference(arguments),
        opacity=arguments.opacity,
        overlay=arguments.overlay,
    )
    failed = 0
    progress = tqdm(
        zip(photos, results, strict=True),
        total=len(photos),
        unit="photo",
        disable=True if len(photos) == 1 else None,
    )
    for photo, result in progress:
        if isinstance(result, Exception):
            failed += 1
            tqdm.write(f"keras-deeplab: error: {error_text(result)}", file=sys.stderr)
        else:
            tqdm.write(_report(photo, *result, as_json=arguments.json))
    if failed:
        print(f"keras-deeplab: {failed} of {len(photos)} photos failed", file=sys.stderr)
    return 1 if failed else 0


def segment_files(
    model: Any,
    photos: Sequence[Path],
    folder: str | Path,
    *,
    options: InferenceOptions,
    opacity: float = 0.5,
    overlay: bool = True,
) -> Iterator[Written | Exception]:
    """Yields for each photo, in order, the files and the shares of the classes, or the error.

    Args:
        model: A Keras model, the path of an exported file, or a `Segmenter`.
        photos: Image files.
        folder: Folder to write to.
        options: Size, scales, flip, sliding window, CRF and batch size.
        opacity: Opacity of the overlays, 0 to 1.
        overlay: Whether to write overlays.
    """
    from keras_deeplab.inference import segment

    def save(number: int, result: Segmentation) -> Written:
        files = result.save(folder, opacity=opacity, overlay=overlay)
        return files, result.shares()

    return segment(model, list(photos), options=options).outcomes(save)


def _first_crf() -> None:
    """Runs the CRF on two pixels, which loads and traces its code in advance."""
    import numpy as np

    from keras_deeplab.inference.dense_crf import DenseCRF

    DenseCRF()(np.full((1, 2, 2), 0.5, "float32"), np.zeros((1, 2, 3), "uint8"))


def _report(
    photo: Path, files: tuple[Path, ...], shares: dict[str, float], *, as_json: bool
) -> str:
    if as_json:
        written = dict(zip(("mask", "overlay"), map(str, files), strict=False))
        return json.dumps({"photo": str(photo), **written, "shares": shares})
    listed = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    return "\n  ".join([f"{photo}: {listed}", *map(str, files)])


def _photo_paths(arguments: Sequence[str]) -> list[Path]:
    from keras_deeplab.data.images import folder_images

    paths: list[Path] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            paths.extend(folder_images(path))
        elif path.exists() or not glob.has_magic(argument):
            paths.append(path)
        else:
            found = sorted(glob.glob(str(path), recursive=True))
            if not found:
                raise FileNotFoundError(f"The pattern must match files. Received: {argument!r}.")
            paths.extend(Path(name) for name in found)
    if not any(path.is_file() for path in paths):
        raise FileNotFoundError(
            f"There must be a photo. Received: {', '.join(str(path) for path in paths[:5])}, "
            f"which {'does' if len(paths) == 1 else 'do'} not exist."
        )
    return list(dict.fromkeys(paths))
