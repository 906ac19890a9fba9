"""A run of `keras-deeplab segment`: what is finished, what remains, and the report."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from keras_deeplab._validation import percent
from keras_deeplab.cli.arguments import resolve_inference, resolve_network
from keras_deeplab.cli.startup import error_text, start_keras
from keras_deeplab.data import annotation_writer
from keras_deeplab.data.photo_sources import Item, distinct
from keras_deeplab.data.video_reader import VideoReader
from keras_deeplab.inference import Segmentation, open_segmenter, segment
from keras_deeplab.inference.bulk import (
    BulkJob,
    Destination,
    RayActors,
    RecordBook,
    ResultFiles,
    segment_on_ray,
)
from keras_deeplab.inference.options import InferenceOptions

Outcome = dict[str, Any] | Exception


class SegmentRun:
    """Segments what remains, which is not finished, and prints the results of everything.

    `model` must be set before the call if anything remains, except with Ray, whose actors open it.
    """

    def __init__(
        self, arguments: argparse.Namespace, items: Sequence[Item], options: InferenceOptions
    ) -> None:
        self.arguments = arguments
        self.model: Any = None
        destination = Destination(arguments.out)
        destination.prepare()
        self.files = ResultFiles(
            destination, arguments.format, arguments.overlay, arguments.opacity
        )
        self.job = BulkJob(self.files, options, arguments.every, arguments.smoothing)
        self.book = RecordBook(destination, _settings(arguments, options), resume=arguments.resume)
        self.items = list(distinct(items, self.book.taken()))
        self.finished = {
            item.identity: record for item in self.items if (record := self.book.finished(item))
        }
        self.remaining = [item for item in self.items if item.identity not in self.finished]
        self.book.begin({item.identity: item.name for item in self.remaining})

    def __call__(self) -> int:
        """Runs and returns the exit code."""
        if self.finished:
            print(
                f"keras-deeplab: {len(self.finished)} of {len(self.items)} results were finished "
                f"before (--no-resume computes them again)",
                file=sys.stderr,
            )
        try:
            return int(print_outcomes(self._outcomes(), len(self.items), self._report) > 0)
        finally:
            self.book.close()
            self.files.destination.close()

    def _outcomes(self) -> Iterator[tuple[Item, Outcome]]:
        results = self._computed()
        for item in self.items:
            if record := self.finished.get(item.identity):
                yield item, record
                continue
            # Ray's actors finish photos in any order.
            computed, outcome = next(results)
            if not isinstance(outcome, Exception):
                if damage := outcome.get("damage"):
                    tqdm.write(f"keras-deeplab: {damage}", file=sys.stderr)
                outcome = self.book.add(computed, outcome)
            yield computed, outcome

    def _computed(self) -> Iterator[tuple[Item, Outcome]]:
        if not self.remaining:
            return iter(())
        if self.arguments.engine == "local":
            return self.job.outcomes(self.model, self.remaining, watch=self._frame_bar)
        arguments = argparse.Namespace(**vars(self.arguments))
        path = Path(arguments.model).expanduser()
        arguments.model = str(path.resolve()) if path.exists() else arguments.model
        actors = RayActors(
            number=arguments.actors, cpus=arguments.cpus_per_actor, gpus=arguments.gpus_per_actor
        )
        open_network = partial(resolve_network, arguments)
        return segment_on_ray(open_network, self.remaining, self.job, actors=actors)

    @contextmanager
    def _frame_bar(self, item: Item, reader: VideoReader) -> Iterator[Callable[[], object]]:
        """Shows a progress bar of the frames of a video or camera."""
        total = None if reader.frames is None else -(-reader.frames // reader.every)
        with tqdm(total=total, desc=item.name, unit="frame", disable=None, leave=False) as bar:
            yield bar.update

    def _report(self, item: Item, record: dict[str, Any]) -> str:
        shown = self.files.destination.shown
        written = {str(kind): shown(record[kind]) for kind in ("mask", "overlay") if kind in record}
        return _line(self.arguments, item.source, record["shares"], written)


def print_outcomes(
    outcomes: Iterable[tuple[Any, Any]], count: int, report: Callable[[Any, Any], str]
) -> int:
    """Prints a report on each photo, or its error, and returns the number of errors."""
    failed = 0
    for photo, outcome in tqdm(
        outcomes, total=count, unit="photo", disable=True if count == 1 else None
    ):
        if isinstance(outcome, Exception):
            failed += 1
            tqdm.write(f"keras-deeplab: error: {error_text(outcome)}", file=sys.stderr)
        else:
            tqdm.write(report(photo, outcome))
    if failed:
        print(f"keras-deeplab: {failed} of {count} photos failed", file=sys.stderr)
    return failed


def _line(
    arguments: argparse.Namespace, photo: str, shares: dict[str, float], written: dict[str, str]
) -> str:
    if arguments.json:
        return json.dumps({"photo": photo, **written, "shares": shares})
    listed = ", ".join(f"{name} {percent(share)}" for name, share in shares.items())
    return "\n  ".join([f"{photo}: {listed}", *written.values()])


def write_annotations(arguments: argparse.Namespace, sources: Sequence[str]) -> int:
    """Segments photos and writes their annotations; returns the exit code."""
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
    failed = print_outcomes(
        zip(photos, results, strict=True),
        len(photos),
        lambda photo, shares: _line(arguments, str(photo), shares, {}),
    )
    for file in writer.finish() if failed < len(photos) else ():
        print(file, file=sys.stderr if arguments.json else sys.stdout)
    return int(failed > 0)


def _settings(arguments: argparse.Namespace, options: InferenceOptions) -> dict[str, Any]:
    """Returns what the results depend on, besides the photos."""
    settings = {**vars(options), **{name: getattr(arguments, name) for name in _SETTINGS}}
    settings["video"] = [arguments.every, arguments.smoothing]
    settings["model_file"] = _stamp(Path(arguments.model).expanduser())
    for name in ("batch_size", "workers", *(() if arguments.overlay else ("opacity",))):
        del settings[name]
    return settings


_SETTINGS = (
    "model", "class_names", "dataset", "backbone", "output_stride", "format", "overlay", "opacity",
)  # fmt: skip


def _stamp(path: Path) -> list[int] | None:
    """Returns the size and time of a network's file or folder, or None for a name."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    if not path.exists() or not files:
        return None
    states = [file.stat() for file in files]
    return [sum(s.st_size for s in states), max(s.st_mtime_ns for s in states)]
