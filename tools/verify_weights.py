"""Fetches, checks, loads and tries every weights file, and writes docs/verified.json.

    python tools/verify_weights.py [--mirror FOLDER] [--data voc=FOLDER ...] [NAME ...]
    python tools/write_model_page.py

Each file is downloaded (or taken from the mirror or the cache), its size and hash are compared with
those of its row, and the network is loaded and run on the photos in the package, in a process of
its own. With `--data DATASET=FOLDER`, mean IoU is measured on the split "val" of that dataset. The
results are written after each row. Rows that were verified are left out the next time, unless
their facts have changed; the others are tried again. A row that fails or that cannot be fetched is
reported, and makes the exit code 1.

A row is "verified" if the network finds the object of at least two of the three photos, or reaches
its published mean IoU to within 0.02; "loaded" if it runs, but its classes are not those of the
photos and it was not measured; else "failed".
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RESULTS = ROOT / "docs" / "verified.json"
# Names of what the photos in the package show.
OBJECTS = {
    "astronaut": {"person"},
    "cat": {"cat"},
    "motorcycle": {"motorbike", "motorcycle"},
}
_NEEDED, _TOLERANCE = 2, 0.02
# Fields of a row that do not change what its network computes.
_NOTES = {"trained_on", "metrics", "measured", "recommended", "licence", "source"}


def fingerprint(row: Any) -> str:
    """Returns a short hash of the facts of a row that decide what its network computes."""
    facts = [
        (field.name, getattr(row, field.name))
        for field in fields(row)
        if field.name not in _NOTES and getattr(row, field.name) != field.default
    ]
    return hashlib.sha256(repr(sorted(facts)).encode()).hexdigest()[:12]


def check_file(path: Path, row: Any) -> dict[str, Any]:
    """Returns size and hash of a file, and how much of the hash was published.

    Raises:
        ValueError: If the size is not that of the row.
    """
    from keras_deeplab.weights.download import file_sha256

    size = path.stat().st_size
    if row.num_bytes not in (None, size):
        raise ValueError(f"{path} must have {row.num_bytes} bytes. Received: {size}.")
    digits = len(row.sha256 or "")
    return {
        "bytes": size,
        "sha256": file_sha256(path),
        "hash_published": {0: "none", 64: "whole"}.get(digits, f"{digits} digits"),
    }


def try_network(name: str, folder: str, split: str, limit: int | None) -> dict[str, Any]:
    """Loads a network, runs it on the photos in the package, and measures it on a folder.

    Args:
        name: Name of the row.
        folder: Folder of its dataset; empty: none.
        split: Split to measure.
        limit: Largest number of images to measure.
    """
    from keras_deeplab import DeepLab, segment
    from keras_deeplab.data import example_photos, read_dataset
    from keras_deeplab.evaluation import evaluate
    from keras_deeplab.presets.datasets import DATASETS
    from keras_deeplab.presets.weights import WEIGHTS

    row = WEIGHTS[name]
    model = DeepLab(weights=name)
    photos, found = {}, []
    for title, photo in example_photos().items():
        shares = segment(model, photo).shares()
        largest = sorted(shares, key=lambda word: -shares[word])
        photos[title] = {word: round(shares[word], 3) for word in largest[:3]}
        objects = [word for word in largest if word != "background"]
        if OBJECTS[title] & set(DATASETS[row.dataset].class_names):
            found.append(bool(OBJECTS[title] & set(objects[:1])))
    result: dict[str, Any] = {"parameters": model.count_params(), "photos": photos}
    right = sum(found) >= _NEEDED
    if folder:
        data = read_dataset(folder, split, dataset=row.dataset)
        measured = evaluate(model, data, limit=limit, pictures=0)
        score, images = round(float(measured.mean_iou), 4), len(measured.images)
        result |= {"mean_iou": score, "split": split, "images": images}
        published = row.metrics[0].mean_iou if row.metrics else None
        right = right or (published is not None and score > published - _TOLERANCE)
    known = len(found) == len(OBJECTS) or "mean_iou" in result
    status = "verified" if right else "failed" if known else "loaded"
    if status == "failed":
        result["reason"] = f"found the objects of {sum(found)} of {len(found)} photos"
    return {"status": status, **result}


def verify(row: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the result of a row; its status is "unavailable" if it cannot be fetched."""
    from keras_deeplab.weights.download import weights_file

    try:
        path = weights_file(row, progressbar=sys.stderr.isatty())
    except ConnectionError as error:
        return {"status": "unavailable", "reason": str(error).partition(". Without internet")[0]}
    except (OSError, ValueError) as error:
        return {"status": "failed", "reason": str(error)}
    try:
        facts = check_file(path, row)
    except ValueError as error:
        return {"status": "failed", "reason": str(error)}
    options = [arguments.data.get(row.dataset, ""), arguments.split, str(arguments.limit or "")]
    command = [sys.executable, "-W", "ignore", __file__, "--child", row.name, *options]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=arguments.seconds)
    except subprocess.TimeoutExpired:
        return {"status": "failed", **facts, "reason": f"more than {arguments.seconds:g} s"}
    lines = child.stdout.strip().splitlines()
    if child.returncode or not lines:
        words = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        return {"status": "failed", **facts, "reason": words}
    return {**facts, **json.loads(lines[-1])}


def done(result: dict[str, Any], row: Any, data: dict[str, str]) -> bool:
    """Returns whether an earlier result holds for a row and has what is asked for."""
    return (
        result.get("status") in ("verified", "loaded")
        and result.get("row") == fingerprint(row)
        and (row.dataset not in data or "mean_iou" in result)
    )


def run(arguments: argparse.Namespace) -> int:
    from keras_deeplab._version import __version__
    from keras_deeplab.presets.weights import WEIGHTS

    file = arguments.json
    results = json.loads(file.read_text())["weights"] if file.is_file() else {}
    bad = 0
    for name, row in WEIGHTS.items():
        if arguments.names and name not in arguments.names:
            continue
        if not arguments.again and done(results.get(name, {}), row, arguments.data):
            print(f"{name}: {results[name]['status']} before", flush=True)
            continue
        result = verify(row, arguments)
        status, reason = result["status"], result.get("reason", "")
        print(f"{name}: {status}{f', {reason}' if reason else ''}", flush=True)
        bad += status in ("failed", "unavailable")
        if status == "unavailable":
            continue
        today = datetime.date.today().isoformat()
        stamp = {"date": today, "version": __version__, "row": fingerprint(row)}
        results[name] = {"status": status, **stamp, **result}
        ordered = {key: results[key] for key in WEIGHTS if key in results}
        content = {"command": "python tools/verify_weights.py", "weights": ordered}
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        partial.replace(file)
    return int(bad > 0)


def _dataset_folder(text: str) -> tuple[str, str]:
    dataset, _, folder = text.partition("=")
    if not Path(folder).is_dir() or not folder:
        raise argparse.ArgumentTypeError(f"must be DATASET=FOLDER of a folder there is: {text}")
    return dataset, folder


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["--child"]:
        name, folder, split, limit = words[1:]
        print(json.dumps(try_network(name, folder, split, int(limit) if limit else None)))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every row")
    parser.add_argument("--mirror", help="folder or address; default: KERAS_DEEPLAB_MIRROR")
    parser.add_argument(
        "--data",
        type=_dataset_folder,
        action="append",
        default=[],
        metavar="DATASET=FOLDER",
        help="measure the rows of this dataset on this folder; may be repeated",
    )
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, help="largest number of images to measure")
    parser.add_argument("--seconds", type=float, default=7200, help="limit of one row")
    parser.add_argument("--again", action="store_true", help="rows that were verified, too")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    arguments = parser.parse_args(words)
    arguments.data = dict(arguments.data)
    if arguments.mirror:
        os.environ["KERAS_DEEPLAB_MIRROR"] = arguments.mirror
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
