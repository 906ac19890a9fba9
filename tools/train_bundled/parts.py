"""Packs photos into a few files, for a machine that trains and has nothing else.

    python tools/train_bundled/parts.py --photos FOLDER... --keep-out coco128_voc/images --out PARTS

PARTS/photos.json lists all photos (`photos.Photo` by field); a second run uses it. Each part is a
ZIP archive of photos as WebP, masks as PNG, and rows.json: the same rows, with the names of these
files and classes as numbers. The first part holds the photos with masks and those held out.
start.npz holds the weights of the published network, which teaches and where training starts.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pathlib
import random
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
from photos import read_photos
from PIL import Image
from tqdm import tqdm

from keras_deeplab import DeepLab
from keras_deeplab.data.images import read_image
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.weights import named_weights

START = "deeplab_v3_mobilenet_v2.voc_trainaug"
NAMES = DATASETS["voc"].class_names
# Longer side at most, pixels, and quality of WebP.
SIDE, QUALITY = 400, 62
# Photos without a mask that are held out: enough to measure by.
_HELD_OUT = 500


def encoded(path: str) -> bytes:
    """Returns a photo as WebP, reduced to the side."""
    photo = Image.fromarray(np.asarray(read_image(path)))
    photo.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    photo.save(stream, "WEBP", quality=QUALITY)
    return stream.getvalue()


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the photos in random order, those with masks and those held out first."""
    random.Random(0).shuffle(rows)
    held_out = [row for row in rows if row["split"] == "held_out" and not row["mask"]]
    known = [row for row in held_out if row["absent"]][:_HELD_OUT]
    masked = [row for row in rows if row["mask"]]
    return masked + known + [r for r in rows if r["split"] == "train" and not r["mask"]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--keep-out", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--megabytes", type=float, default=50, help="of one part")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    weights = {name: np.asarray(v) for name, v in named_weights(DeepLab(START)).items()}
    np.savez_compressed(options.out / "start.npz", **weights)
    listed = options.out / "photos.json"
    if not listed.exists():
        photos = read_photos(options.photos, options.keep_out)
        listed.write_text(json.dumps([asdict(photo) for photo in photos], indent=0))
    rows, part = ordered(json.loads(listed.read_text())), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        photos_as_webp = pool.map(encoded, [row["image"] for row in rows], chunksize=64)
        packed, waiting = 0.0, []
        for row, photo in tqdm(zip(rows, photos_as_webp, strict=True), total=len(rows)):
            mask = pathlib.Path(row["mask"]).read_bytes() if row["mask"] else b""
            if packed + len(photo) + len(mask) > options.megabytes * 2**20:
                write_part(options.out / f"part_{part:02}.zip", waiting)
                part, packed, waiting = part + 1, 0.0, []
            waiting.append((row, photo, mask))
            packed += len(photo) + len(mask) + 500
        write_part(options.out / f"part_{part:02}.zip", waiting)


def write_part(path: pathlib.Path, photos: list[tuple[dict[str, Any], bytes, bytes]]) -> None:
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for number, (row, photo, mask) in enumerate(photos):
            files = {"image": f"{number}.webp", "mask": f"{number}.png" if mask else None}
            known = {key: [NAMES.index(name) for name in row[key]] for key in ("present", "absent")}
            rows.append(row | known | files)
            archive.writestr(f"{number}.webp", photo)
            if mask:
                archive.writestr(f"{number}.png", mask)
        archive.writestr("rows.json", json.dumps(rows), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
