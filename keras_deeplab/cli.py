"""The command `keras-deeplab`."""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_deeplab import __version__
from keras_deeplab.tables.backbones import BACKBONES
from keras_deeplab.tables.costs import COSTS
from keras_deeplab.tables.crfs import CRFS, DEFAULT_CRF
from keras_deeplab.tables.deeplabs import DEEPLABS
from keras_deeplab.tables.weights import WEIGHTS


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments; those of the process by default.

    Returns:
        Exit code: 0 all done, 1 something failed, 2 wrong usage.
    """
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:
        # Whoever reads has read enough, as in `keras-deeplab list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError) as error:
        print(f"keras-deeplab: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("keras-deeplab: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-deeplab", description="Semantic segmentation of photos with DeepLab networks."
    )
    parser.add_argument("--version", action="version", version=f"keras-deeplab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

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
    segment.add_argument(
        "--weights",
        default="voc",
        metavar="NAME",
        help="dataset, row name (see 'keras-deeplab list') or file (default: %(default)s)",
    )
    segment.add_argument("--backbone", choices=sorted(BACKBONES), help="network's backbone")
    segment.add_argument(
        "--output-stride",
        type=int,
        choices=(8, 16, 32),
        help="input pixels per feature pixel: 8 is finer and slower (default: as trained)",
    )
    segment.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help="side of the square that photos are fitted into for the network "
        "(default: the dataset's, VOC 513)",
    )
    segment.add_argument(
        "--crf",
        nargs="?",
        const=DEFAULT_CRF,
        default=False,
        choices=list(CRFS),
        metavar="PRESET",
        help=f"refine the masks with a fully connected CRF; after the photos: --crf, or --crf and "
        f"one of {', '.join(CRFS)} (default: {DEFAULT_CRF})",
    )
    segment.add_argument(
        "--opacity", type=float, default=0.5, help="of the overlay, 0 to 1 (default: %(default)s)"
    )
    segment.add_argument(
        "--json", action="store_true", help="print one JSON object per photo instead of text"
    )
    segment.set_defaults(run=_segment)

    converters = sorted({row.converter for row in WEIGHTS.values()})
    conversion = commands.add_parser(
        "convert",
        help="turn a published checkpoint into a .keras file",
        description="Reads a checkpoint that others published into a network and saves it as a "
        ".keras file, for segment --weights and DeepLab(weights=...).",
        epilog="Example: keras-deeplab convert deeplabv3_pascal_train_aug_2018_01_04.tar.gz "
        "--converter tf_slim --network deeplab_v3_plus_xception_65 --out xception.keras",
    )
    conversion.add_argument("source", metavar="SOURCE", help="file as it was published")
    conversion.add_argument(
        "--converter",
        required=True,
        metavar="NAME",
        help=f"reader of the file: {', '.join(converters)}",
    )
    conversion.add_argument(
        "--network", required=True, metavar="ROW", help="network, see 'keras-deeplab list'"
    )
    conversion.add_argument("--out", required=True, metavar="FILE.keras", help="file to write")
    conversion.add_argument(
        "--member", default="", metavar="NAME", help="weights inside an archive of several"
    )
    conversion.set_defaults(run=_convert)

    listing = commands.add_parser(
        "list",
        help="show every network and its weights",
        description="Shows every network and the trained weights that exist for it.",
    )
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=_list)
    return parser


def _segment(arguments: argparse.Namespace) -> int:
    photos = _photo_paths(arguments.photos)
    names = _output_names(photos)
    if not 0 <= arguments.opacity <= 1:
        raise ValueError(f"--opacity must be between 0 and 1. Received: {arguments.opacity}.")
    if arguments.size is not None and arguments.size < 1:
        raise ValueError(f"--size must be at least 1. Received: {arguments.size}.")
    Path(arguments.out).expanduser().mkdir(parents=True, exist_ok=True)
    with _quiet_native_log():
        import keras

        keras.ops.zeros(1)
        if arguments.crf:
            _first_crf()
    from tqdm import tqdm

    from keras_deeplab.deeplab import DeepLab
    from keras_deeplab.predict import segment

    model = DeepLab(
        weights=arguments.weights,
        backbone=arguments.backbone,
        output_stride=arguments.output_stride,
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
            result = segment(model, photo, size=arguments.size, crf=arguments.crf)
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

    from keras_deeplab.dense_crf import DenseCRF

    DenseCRF()(np.full((1, 2, 2), 0.5, "float32"), np.zeros((1, 2, 3), "uint8"))


@contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Holds back what TensorFlow's C++ side writes to standard error while it starts.

    It greets with a screenful that no log level silences, and would bury the result. What was
    held back is shown if the start fails.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


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


def _convert(arguments: argparse.Namespace) -> int:
    with _quiet_native_log():
        import keras

        keras.ops.zeros(1)
    from keras_deeplab.convert import convert

    model = convert(
        arguments.source,
        arguments.out,
        converter=arguments.converter,
        network=arguments.network,
        member=arguments.member,
    )
    classes = model.output_shape[-1]
    print(f"{arguments.source}: {arguments.network} with {classes} classes\n  {arguments.out}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
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
                "size": f"{row.num_bytes / 1e6:.1f} MB" if row.num_bytes else "unknown",
                "mean_iou": "; ".join(f"{m.mean_iou} ({m.protocol})" for m in row.metrics)
                + (" - trained on the validation images" if row.leaky else ""),
                "licence": row.licence,
                "source": row.url or "in the package",
            }
            for row in WEIGHTS.values()
            if row.network == network
        ],
    }
