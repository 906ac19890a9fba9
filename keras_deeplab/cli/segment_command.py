"""`keras-deeplab segment`: masks and overlays of photos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_deeplab.cli.arguments import (
    add_classes,
    add_inference,
    add_network,
    add_options,
    is_model_name,
    resolve_inference,
    resolve_network,
)
from keras_deeplab.cli.startup import quiet_start, start_keras


class _Camera(argparse.Action):
    """Stores the camera, beside which no photo is required."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        for action in parser._actions:
            if action.dest == "photos":
                action.required = False


def add_parser(commands: Any) -> None:
    """Adds the command."""
    segment = commands.add_parser(
        "segment",
        help="write the mask and an overlay of each photo",
        description="Segments photos. For each photo it writes NAME_mask.png (pixel "
        "values are label ids) and NAME_overlay.png (a colour preview), and prints the share of "
        "pixels of each class. The shares are also written to results.jsonl.",
        epilog="Example: keras-deeplab segment photo.jpg --out masks",
    )
    segment.add_argument(
        "photos",
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="image file, folder of images, quoted pattern, video, or address (https://, s3://, "
        "...)",
    )
    segment.add_argument(
        "--camera",
        type=int,
        action=_Camera,
        metavar="N",
        help="segment the camera with this number until Ctrl-C",
    )
    add_options(
        segment,
        """
        --out DIR: folder to write to
        --recursive: include subfolders, and keep their tree in the output folder
        """,
        out="segmented",
    )
    add_network(segment)
    add_classes(segment)
    add_inference(segment, crf="refine the masks with a dense CRF")
    add_options(
        segment,
        """
        --workers N: threads that read photos, and as many that write results (default: one per
            core, at most 8)
        --every N: of videos, segment every Nth frame
        --smoothing WEIGHT: of videos, weight of the frames before, 0 to less than 1, against
            flicker
        --format: format of the masks: label ids as pixel values, an array, COCO's run lengths, for
            videos a lossless video, or no masks (default: %(default)s)
        --opacity OPACITY: overlay opacity, 0 to 1
        --no-overlay: write only the masks, which is faster
        --annotations FORMAT: write annotations for a labelling tool instead of masks and overlays:
            coco.json (or another name of a COCO file), cvat, labelme, labelstudio, yolo
        --annotation-masks: write regions as run lengths or bitmaps instead of polygons
        --smallest PIXELS: least size of an annotated region, and of a hole
        --tolerance PIXELS: largest distance by which a polygon may differ from its region; it is
            lowered where the IoU would fall below 0.988
        --resume: keep results that an earlier run with the same settings has finished (default:
            yes)
        --json: print one JSON object per photo instead of text
        --engine: run here, or on the Ray cluster of RAY_ADDRESS or of this machine (default:
            %(default)s)
        --actors N|N-M: of Ray, networks that run at a time, or their least and largest number
            (default: as many as fit into the cluster)
        --cpus-per-actor N: CPUs that an actor reserves (default: 1)
        --gpus-per-actor N: GPUs of an actor; 0.5 puts two on a GPU (default: 1 if there are any)
        """,
        workers=int,
        every=1,
        smoothing=0.0,
        format={"choices": ("png", "npz", "rle-json", "video", "none"), "default": "png"},
        opacity=0.5,
        no_overlay={"action": "store_false", "dest": "overlay"},
        smallest=10,
        tolerance=1.5,
        resume={"action": argparse.BooleanOptionalAction, "default": True},
        engine={"choices": ("local", "ray"), "default": "local"},
        actors=_actors,
        cpus_per_actor={"type": _share, "default": 1.0},
        gpus_per_actor=_share,
    )
    segment.set_defaults(run=_segment)


def _actors(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    number = int(least), int(most or least)
    if not 1 <= number[0] <= number[1]:
        raise argparse.ArgumentTypeError(f"must be N or N-M, at least 1. Received: {text!r}")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e4:
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more. Received: {text!r}")
    return number


def _check_engine(arguments: argparse.Namespace) -> None:
    """Raises an error for what the actors of Ray cannot do."""
    if arguments.engine != "ray":
        return
    if arguments.annotations or arguments.camera is not None:
        option = "--annotations" if arguments.annotations else "--camera"
        raise ValueError(f"{option} must come with --engine local. Received: --engine ray.")
    if not arguments.cpus_per_actor:
        raise ValueError("--cpus-per-actor must be more than 0. Received: 0.")
    is_model_name(arguments.model)
    with quiet_start():
        from keras_deeplab.inference.bulk import import_ray

        import_ray()


def _segment(arguments: argparse.Namespace) -> int:
    from keras_deeplab.data.photo_sources import find_sources

    cameras = [] if arguments.camera is None else [f"camera:{arguments.camera}"]
    sources = [*arguments.photos, *cameras]
    found = find_sources(sources, out=arguments.out, recursive=arguments.recursive)
    if not 0 <= arguments.opacity <= 1:
        raise ValueError(f"--opacity must be between 0 and 1. Received: {arguments.opacity}.")
    _check_engine(arguments)
    if summary := found.summary():
        print(f"keras-deeplab: {summary}", file=sys.stderr)
    with _no_empty_folder(Path(arguments.out).expanduser()):
        with quiet_start():
            from keras_deeplab.cli.segment_run import SegmentRun, write_annotations

            if not arguments.annotations:
                run = SegmentRun(arguments, found.items, resolve_inference(arguments))
        if arguments.annotations:
            return write_annotations(arguments, [item.source for item in found.items])
        if run.remaining and arguments.engine == "local":
            start_keras()
            if arguments.crf:
                with quiet_start():
                    _first_crf()
            run.model = resolve_network(arguments)
        return run()


@contextmanager
def _no_empty_folder(path: Path) -> Iterator[None]:
    """Removes a new folder at the end if nothing was written to it."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    finally:
        for folder in new:
            # It holds results, or is an address.
            with suppress(OSError):
                folder.rmdir()


def _first_crf() -> None:
    """Runs the CRF on two pixels, which loads and traces its code in advance."""
    import numpy as np

    from keras_deeplab.inference.dense_crf import DenseCRF

    DenseCRF()(np.full((1, 2, 2), 0.5, "float32"), np.zeros((1, 2, 3), "uint8"))
