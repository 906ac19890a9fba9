"""Photos per second of `segment` and `evaluate`, against the bare network on ready-made batches.

    python tools/benchmark_inference.py --images DIR [--labels DIR] [--size 513] [--batch-size 1]
        [--photos 40] [--repeats 5] [--memory 200 2000] [--json FILE]

`segment` is what `keras-deeplab segment FOLDER` calls, with overlays and without; the files go to
a temporary folder. The contenders take turns, so that all meet the same load; the medians are
printed, and each one's ratio to the bare network in the same turn. `--memory` prints the resident
memory after so many photos, with masks alone: the folder's photos over and over.
"""

from __future__ import annotations

import argparse
import itertools
import json
import operator
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab import DeepLab, evaluate, open_segmenter
from keras_deeplab.data.images import folder_images, read_image
from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference import InferenceOptions, Segmenter, fit_image
from keras_deeplab.inference.bulk import BulkJob, Destination, ResultFiles


def bare(network: Segmenter, photos: list[Path], options: InferenceOptions) -> Callable[[], None]:
    """Returns a run of the network alone on photos that are fitted and stacked already."""
    size = options.resolve_size(network.inference_size) or network.inference_size
    number = options.batch_size or network.batch_size
    images = [fit_image(read_image(photo), size) for photo in photos]
    batches = [np.stack(images[i : i + number]) for i in range(0, len(images), number)]

    def run() -> None:
        for batch in batches:
            network.run(batch)

    return run


def written(
    network: Segmenter, photos: list[Path], options: InferenceOptions, folder: str, *, overlay: bool
) -> None:
    items = [Item(str(photo), f"{number}_{photo.stem}") for number, photo in enumerate(photos)]
    job = BulkJob(ResultFiles(Destination(folder), overlay=overlay), options)
    for _, result in job.outcomes(network, items):
        if isinstance(result, Exception):
            raise result


def contenders(
    network: Segmenter, photos: list[Path], labels: Path | None, options: InferenceOptions, out: str
) -> dict[str, Callable[[], Any]]:
    """Returns what is timed, by name; the first is what the others are compared with."""
    runs: dict[str, Callable[[], Any]] = {
        "network": bare(network, photos, options),
        "segment, masks": lambda: written(network, photos, options, out, overlay=False),
        "segment, overlays": lambda: written(network, photos, options, out, overlay=True),
    }
    if labels:
        pairs = [(photo, labels / f"{photo.stem}.png") for photo in photos]
        runs["evaluate"] = lambda: evaluate(network, pairs, options=options, progressbar=False)
    return runs


def measure(runs: dict[str, Callable[[], Any]], photos: int, repeats: int) -> dict[str, Any]:
    """Returns median photos per second, and the median ratios to the first contender.

    The ratio of photos per second of processor time tells what is left where others keep the
    processor busy.
    """
    for run in runs.values():
        run()
    rates: dict[str, list[float]] = {name: [] for name in runs}
    work: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start, cpu = time.perf_counter(), time.process_time()
            run()
            rates[name].append(photos / (time.perf_counter() - start))
            work[name].append(photos / (time.process_time() - cpu))
    first = next(iter(runs))
    return {
        name: {
            "photos_per_second": statistics.median(rates[name]),
            "ratio": statistics.median(map(operator.truediv, rates[name], rates[first])),
            "cpu_ratio": statistics.median(map(operator.truediv, work[name], work[first])),
        }
        for name in runs
    }


def memory(
    network: Segmenter, photos: list[Path], options: InferenceOptions, out: str, after: list[int]
) -> dict[int, float]:
    """Returns the resident memory in MB after numbers of photos."""
    several = list(itertools.islice(itertools.cycle(photos), max(after)))
    items = [Item(str(photo), photo.stem) for photo in several]
    job = BulkJob(ResultFiles(Destination(out), overlay=False), options)
    results = job.outcomes(network, items)
    found = {}
    for number, _ in enumerate(results, 1):
        if number in after:
            found[number] = resident()
    return found


def resident() -> float:
    """Returns the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, help="folder of masks, by stem; times evaluate too")
    parser.add_argument("--weights", default="voc", help="as for DeepLab")
    parser.add_argument("--size", type=int, help="default: the network's")
    parser.add_argument("--batch-size", type=int, help="default: the device's")
    parser.add_argument("--photos", type=int, default=40, help="of the folder, in a turn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="+", default=[], metavar="PHOTOS")
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    options = InferenceOptions(size=arguments.size, batch_size=arguments.batch_size)
    photos = list(folder_images(arguments.images))[: arguments.photos]
    network = open_segmenter(DeepLab(weights=arguments.weights))
    result: dict[str, Any] = {
        "size": network.protocol(options)["size"],
        "batch_size": options.batch_size or network.batch_size,
        "photos": len(photos),
        "cpus": os.cpu_count(),
    }
    with tempfile.TemporaryDirectory() as out:
        if arguments.repeats:
            runs = contenders(network, photos, arguments.labels, options, out)
            result["speed"] = measure(runs, len(photos), arguments.repeats)
        if arguments.memory:
            result["memory_mb"] = memory(network, photos, options, out, arguments.memory)
    for name, row in result.get("speed", {}).items():
        print(
            f"{name:20}{row['photos_per_second']:8.2f} photos/s{row['ratio']:8.3f}"
            f"{row['cpu_ratio']:8.3f} of processor time"
        )
    for number, megabytes in result.get("memory_mb", {}).items():
        print(f"{megabytes:8.0f} MB after {number} photos")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
