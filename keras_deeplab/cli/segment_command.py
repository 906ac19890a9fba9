"""`keras-deeplab segment`: masks and overlays of photos."""

from __future__ import annotations

import argparse
import glob
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_deeplab.cli.options import add_crf, add_network, add_passes, resolve_network
from keras_deeplab.cli.startup import quiet_start


def add_parser(commands: Any) -> None:
    """Adds the command."""
    segment = commands.add_parser(
        "segment",
        help="write the mask and an overlay of each photo",
        description="Finds what a photo shows, pixel by pixel. For each photo it writes "
        "NAME_mask.png (pixel values are label ids) and NAME_overlay.png (to look at), and prints "
        "the classes with their share of the pixels.",
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
    segment.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="side of the square that photos are fitted into for the network "
        "(default: the dataset's, VOC 513)",
    )
    add_passes(segment)
    add_crf(segment, words="refine the masks with a fully connected CRF; after the photos")
    segment.add_argument(
        "--opacity", type=float, default=0.5, help="of the overlay, 0 to 1 (default: %(default)s)"
    )
    segment.add_argument(
        "--json", action="store_true", help="print one JSON object per photo instead of text"
    )
    segment.set_defaults(run=_segment)


def _segment(arguments: argparse.Namespace) -> int:
    photos = _photo_paths(arguments.photos)
    names = _output_names(photos)
    if not 0 <= arguments.opacity <= 1:
        raise ValueError(f"--opacity must be between 0 and 1. Received: {arguments.opacity}.")
    if arguments.size is not None and arguments.size < 1:
        raise ValueError(f"--size must be at least 1. Received: {arguments.size}.")
    Path(arguments.out).expanduser().mkdir(parents=True, exist_ok=True)
    with quiet_start():
        import keras

        keras.ops.zeros(1)
        if arguments.crf:
            _first_crf()
    from tqdm import tqdm

    from keras_deeplab.inference.segmentation import segment

    model = resolve_network(arguments)
    options: dict[str, Any] = dict(
        size=arguments.size,
        scales=arguments.scales,
        flip=arguments.flip,
        sliding_window=arguments.sliding_window,
        crf=arguments.crf,
    )
    failed = 0
    progress = tqdm(
        zip(photos, names, strict=True),
        total=len(photos),
        unit="photo",
        disable=True if len(photos) == 1 else None,
    )
    for photo, name in progress:
        try:
            result = segment(model, photo, **options)
            mask, overlay = result.save(arguments.out, name=name, opacity=arguments.opacity)
        except (ValueError, OSError) as error:
            failed += 1
            tqdm.write(f"keras-deeplab: error: {error}", file=sys.stderr)
            continue
        tqdm.write(_report(photo, mask, overlay, result.shares(), as_json=arguments.json))
    if failed:
        print(f"keras-deeplab: {failed} of {len(photos)} photos failed", file=sys.stderr)
    return 1 if failed else 0


def _first_crf() -> None:
    """Refines two pixels, which loads and traces what the photos will need."""
    import numpy as np

    from keras_deeplab.inference.dense_crf import DenseCRF

    DenseCRF()(np.full((1, 2, 2), 0.5, "float32"), np.zeros((1, 2, 3), "uint8"))


def _report(
    photo: Path, mask: Path, overlay: Path, shares: dict[str, float], *, as_json: bool
) -> str:
    if as_json:
        return json.dumps(
            {"photo": str(photo), "mask": str(mask), "overlay": str(overlay), "shares": shares}
        )
    listed = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    return f"{photo}: {listed}\n  {mask}\n  {overlay}"


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


def _output_names(photos: Sequence[Path]) -> list[str]:
    """Returns a distinct stem per photo, so that no result overwrites another."""
    names: list[str] = []
    for photo in photos:
        name, number = photo.stem, 2
        while name in names:
            name, number = f"{photo.stem}_{number}", number + 1
        names.append(name)
    return names
