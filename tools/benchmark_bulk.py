"""Photos per second and memory of folders of photos: ours, on Ray, a plain loop, and PyTorch.

    python tools/benchmark_bulk.py [--photos 2000] [--contenders local ray loop torch]
        [--size 513] [--json FILE]

Every contender has the same work: read a JPEG photo of 400 pixels, fit it to the network's input,
run the network, and write a mask of the photo's size as PNG. The photos are cut out of those in the
package. All run torchvision's deeplabv3_mobilenet_v3_large with the same random weights, "local"
and "ray" by `keras-deeplab segment`'s own code, and each in a process of its own; "network", in the
process of "local", is our network alone on batches that are ready. Times count from the moment when
the network is open and has run once, of Ray from the mean of the moments when its actors are ready.
Memory is the resident memory after 200 photos and after all, and the peak with all child processes.
"hours_per_million" is the time that a million photos take on such a machine. The results are added
to those in the JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_deeplab.data.samples import example_photos

SIDE = 400
EARLY = 200
CONTENDERS = ("local", "ray", "loop", "torch")
NETWORK = "deeplabv3_mobilenet_v3_large"


def write_photos(folder: Path, number: int) -> list[Path]:
    """Returns photos of 400x300 pixels, cut out of those in the package at random."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [Image.open(path).convert("RGB") for path in example_photos().values()]
    paths = [folder / f"{i:05}.jpg" for i in range(number)]
    for i, path in enumerate(paths):
        if path.exists():
            continue
        rng = np.random.default_rng(i)
        source = sources[i % len(sources)]
        width = int(rng.uniform(0.5, 1) * min(source.width, source.height * 4 / 3))
        height = width * 3 // 4
        left = int(rng.integers(0, source.width - width + 1))
        top = int(rng.integers(0, source.height - height + 1))
        cut = source.crop((left, top, left + width, top + height)).resize((SIDE, SIDE * 3 // 4))
        light = float(rng.uniform(0.7, 1.2))
        cut.point(lambda level, light=light: min(255, level * light)).save(path, quality=90)
    return paths


def write_network(path: Path) -> None:
    """Writes torchvision's network with random weights, the same at every call."""
    import torch

    network = torch_network()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, 0, 0.3)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), path)


def torch_network() -> Any:
    import torch

    # The wheel from PyPI wants its compiled operators, which this network does not use.
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            schema = "(Tensor d, Tensor s, float t) -> Tensor"
            torch.library.define(f"torchvision::{operator}", schema)
    from torchvision.models import segmentation

    build = getattr(segmentation, NETWORK)
    return build(weights=None, weights_backbone=None, num_classes=21, aux_loss=True).eval()


def open_network(file: str, notes: str | None = None) -> Any:
    """Returns our network with the weights, and notes the moment when it has run once."""
    from keras_deeplab import DeepLab, open_segmenter

    network = open_segmenter(DeepLab(weights=file))
    network.run(np.zeros((1, *network.inference_size, 3), "uint8"))
    if notes:
        Path(notes, uuid.uuid4().hex).write_text(str(time.time()))
    return network


def resident() -> float:
    """Returns the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def timed(results: Iterable[Any], ready: Callable[[], float] | None = None) -> dict[str, Any]:
    """Draws the results, and returns photos per second and the memory.

    Args:
        results: A result per photo.
        ready: Returns, after the last result, the moment from which time counts. Default: now.
    """
    began, number, memory = time.time(), 0, {}
    for number, result in enumerate(results, 1):
        if isinstance(result, Exception):
            raise result
        if number == EARLY:
            memory[f"after_{number}"] = resident()
    seconds = time.time() - (ready() if ready else began)
    memory[f"after_{number}"] = resident()
    return {
        "photos_per_second": number / seconds,
        "hours_per_million": 1e6 * seconds / number / 3600,
        "photos": number,
        "memory_mb": memory,
    }


def job(out: Path, size: int) -> Any:
    from keras_deeplab.inference import InferenceOptions
    from keras_deeplab.inference.bulk import BulkJob, Destination, ResultFiles

    return BulkJob(ResultFiles(Destination(str(out)), overlay=False), InferenceOptions(size=size))


def items_of(photos: list[Path]) -> list[Any]:
    from keras_deeplab.data.photo_sources import Item

    return [Item(str(photo), photo.stem) for photo in photos]


def run_local(file: str, photos: list[Path], out: Path, size: int) -> dict[str, Any]:
    """Ours, and before and after it the bare network, whose speed is compared in the same turn."""
    from keras_deeplab.data.images import read_image
    from keras_deeplab.inference import fit_image

    network = open_network(file)
    ready = [fit_image(read_image(photo), (size, size))[None] for photo in photos[:50]]

    def bare() -> float:
        start, cpu = time.time(), time.process_time()
        for _ in range(2):
            for batch in ready:
                network.run(batch)
        work.append((time.process_time() - cpu) / (2 * len(ready)))
        return 2 * len(ready) / (time.time() - start)

    work: list[float] = []
    network.run(ready[0])
    first = bare()
    cpu = time.process_time()
    result = timed(outcome for _, outcome in job(out, size).outcomes(network, items_of(photos)))
    cpu = (time.process_time() - cpu) / len(photos)
    rate = statistics.mean([first, bare()])
    return {
        **result,
        "network_photos_per_second": rate,
        "ratio_to_network": result["photos_per_second"] / rate,
        "cpu_seconds_per_photo": cpu,
        "network_cpu_seconds_per_photo": statistics.mean(work),
    }


def run_ray(file: str, photos: list[Path], out: Path, size: int) -> dict[str, Any]:
    """Ours on two actors."""
    from keras_deeplab.inference.bulk import RayActors, segment_on_ray

    began = time.time()
    with tempfile.TemporaryDirectory() as notes:

        def ready() -> float:
            return statistics.mean(float(note.read_text()) for note in Path(notes).iterdir())

        outcomes = segment_on_ray(
            partial(open_network, file, notes),
            items_of(photos),
            job(out, size),
            actors=RayActors(number=(2, 2)),
        )
        result = timed((outcome for _, outcome in outcomes), ready)
        return {**result, "seconds_to_start": ready() - began}


def run_loop(file: str, photos: list[Path], out: Path, size: int) -> dict[str, Any]:
    """What one writes without the package's road: a loop over `model.predict`."""
    import keras

    from keras_deeplab import DeepLab

    model = DeepLab(weights=file)
    model.predict(np.zeros((1, size, size, 3), "uint8"), verbose=0)

    def segmented(photo: Path) -> None:
        image = Image.open(photo).convert("RGB")
        resized = image.resize((size, size), Image.Resampling.BILINEAR)
        scores = model.predict(np.asarray(resized)[None], verbose=0)
        scores = keras.ops.image.resize(scores, (image.height, image.width))
        labels = np.asarray(scores)[0].argmax(-1).astype("uint8")
        Image.fromarray(labels).save(out / f"{photo.stem}_mask.png")

    return timed(map(segmented, photos))


def run_torch(file: str, photos: list[Path], out: Path, size: int) -> dict[str, Any]:
    """The same network in PyTorch, with a DataLoader of two processes that reads and resizes."""
    import torch

    network = torch_network()
    network.load_state_dict(torch.load(file))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

    class Photos(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(photos)

        def __getitem__(self, index: int) -> tuple[Any, int, int, int]:
            image = Image.open(photos[index]).convert("RGB")
            resized = np.array(image.resize((size, size), Image.Resampling.BILINEAR))
            pixels = torch.from_numpy(resized).permute(2, 0, 1).float() / 255
            return (pixels - mean) / deviation, index, image.height, image.width

    def segmented() -> Iterable[None]:
        loader = torch.utils.data.DataLoader(Photos(), batch_size=1, num_workers=2)
        for image, index, height, width in loader:
            scores = network(image)["out"]
            scores = torch.nn.functional.interpolate(
                scores, (int(height), int(width)), mode="bilinear"
            )
            labels = scores[0].argmax(0).to(torch.uint8).numpy()
            Image.fromarray(labels).save(out / f"{photos[int(index)].stem}_mask.png")
            yield None

    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
        return timed(segmented())


def one(name: str, arguments: argparse.Namespace) -> None:
    """Runs a contender in this process and prints its result."""
    photos = write_photos(arguments.folder / "photos", arguments.photos)
    file = str(arguments.folder / f"{NETWORK}.pth")
    runs = {"local": run_local, "ray": run_ray, "loop": run_loop, "torch": run_torch}
    with tempfile.TemporaryDirectory() as out:
        result = runs[name](file, photos, Path(out), arguments.size)
        result["masks"] = len(list(Path(out).glob("*_mask.png")))
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--size", type=int, default=513, help="side of the network's input")
    parser.add_argument("--folder", type=Path, help="for the photos (default: a temporary folder)")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also add the results to this file")
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one, arguments)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        write_photos(folder / "photos", arguments.photos)
        if not (folder / f"{NETWORK}.pth").exists():
            write_network(folder / f"{NETWORK}.pth")
        known = arguments.json and arguments.json.exists()
        results = json.loads(arguments.json.read_text()) if known else {}
        for name in arguments.contenders:
            key = f"{name}, {arguments.photos} photos, {arguments.size} pixels"
            results[key] = contender(name, arguments, folder)
            print(key, json.dumps(results[key]), flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def contender(name: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs a contender in a process of its own, and adds the peak memory of all its processes."""
    options = {"photos": arguments.photos, "size": arguments.size, "folder": folder, "one": name}
    command = [sys.executable, __file__]
    for option, value in options.items():
        command += [f"--{option}", str(value)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.5)
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{name} failed")
    result = json.loads(output.splitlines()[-1])
    return {**result, "size": arguments.size, "peak_mb": peak, "cpus": os.cpu_count()}


def memory_of(process: int) -> float:
    """Returns the memory of a process and its descendants in MB; shared pages count in shares."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    total, waiting = 0.0, [process]
    while waiting:
        current = waiting.pop()
        waiting += [child for child, parent in parents.items() if parent == current]
        try:
            rollup = Path(f"/proc/{current}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(float(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
    return total / 1e3


if __name__ == "__main__":
    main()
