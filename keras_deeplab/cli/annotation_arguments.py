"""Command-line options for the annotations that `segment` writes."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from keras_deeplab._validation import percent
from keras_deeplab.cli.arguments import add_options, resolve_inference, resolve_network
from keras_deeplab.cli.startup import error_text, start_keras


def add_annotations(parser: argparse.ArgumentParser) -> None:
    """Adds --annotations and the options of its polygons."""
    add_options(
        parser,
        """
        --annotations FORMAT: write annotations for a labelling tool instead of masks and overlays:
            coco.json (or another name of a COCO file), cvat, labelme, labelstudio, yolo
        --annotation-masks: write regions as run lengths or bitmaps instead of polygons
        --smallest PIXELS: least size of an annotated region, and of a hole
        --tolerance PIXELS: largest distance by which a polygon may differ from its region; it is
            lowered where the IoU would fall below 0.988
        """,
        smallest=10,
        tolerance=1.5,
    )


def write_annotations(arguments: argparse.Namespace, sources: Sequence[str]) -> int:
    """Segments photos and writes their annotations; returns the exit code.

    Args:
        arguments: Parsed arguments of `segment`.
        sources: Paths of the photos.
    """
    photos = [Path(source) for source in sources]
    stems = Counter(photo.stem for photo in photos)
    for photo in photos:
        if not photo.is_file() or stems[photo.stem] > 1:
            twice = " whose name occurs twice" if photo.is_file() else ""
            raise ValueError(
                f"Annotations must be of image files with distinct names. Received: "
                f"{str(photo)!r}{twice}."
            )
    start_keras()
    from tqdm import tqdm

    from keras_deeplab.data import annotation_writer
    from keras_deeplab.inference import Segmentation, open_segmenter, segment

    segmenter = open_segmenter(resolve_network(arguments))
    writer = annotation_writer(
        arguments.annotations,
        arguments.out,
        segmenter.class_names,
        palette=segmenter.palette,
        masks=arguments.annotation_masks,
        smallest=arguments.smallest,
        tolerance=arguments.tolerance,
    )

    def save(number: int, result: Segmentation) -> dict[str, float]:
        writer.add(photos[number], result.labels)
        return result.shares()

    results = segment(segmenter, photos, options=resolve_inference(arguments)).outcomes(save)
    failed = 0
    hidden = True if len(photos) == 1 else None
    for photo, result in tqdm(
        zip(photos, results, strict=True), total=len(photos), unit="photo", disable=hidden
    ):
        if isinstance(result, Exception):
            failed += 1
            tqdm.write(f"keras-deeplab: error: {error_text(result)}", file=sys.stderr)
        elif arguments.json:
            tqdm.write(json.dumps({"photo": str(photo), "shares": result}))
        else:
            listed = ", ".join(f"{name} {percent(share)}" for name, share in result.items())
            tqdm.write(f"{photo}: {listed}")
    for file in writer.finish() if failed < len(photos) else ():
        print(file, file=sys.stderr if arguments.json else sys.stdout)
    if failed:
        print(f"keras-deeplab: {failed} of {len(photos)} photos failed", file=sys.stderr)
    return 1 if failed else 0
