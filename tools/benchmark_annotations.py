"""Speed of annotations: recognising large folders, and drawing the masks of COCO annotations.

    python tools/benchmark_annotations.py

Makes its files in a temporary folder: for each format, 100,000 files that name photos, and a COCO
file of 640x480 photos with seven polygons each. Recognising is timed with the folder listed for the
first time by the process.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab import read_dataset
from keras_deeplab.data.formats import recognise
from keras_deeplab.data.images import read_image

HEIGHT, WIDTH = 480, 640
LABELME = '{"version": "5.5.0", "shapes": [], "imagePath": "x.jpg", "imageData": null}'


def touch(root: Path, names: list[str], text: str = "") -> None:
    """Writes files of one text."""
    for folder in {os.path.dirname(name) for name in names}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        with open(root / name, "w", encoding="utf-8") as file:
            file.write(text)


def numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(number) for number in range(count)]


def make_coco(root: Path, files: int) -> None:
    touch(root, numbered("images/{:06d}.jpg", files - 1))
    rows = [{"id": i, "file_name": f"{i:06d}.jpg", "height": 1, "width": 1} for i in range(files)]
    content = {"images": rows, "annotations": [], "categories": []}
    (root / "instances.json").write_text(json.dumps(content))


def make_labelme(root: Path, files: int) -> None:
    touch(root, numbered("{:06d}.jpg", files // 2))
    touch(root, numbered("{:06d}.json", files // 2), LABELME)


def make_yolo(root: Path, files: int) -> None:
    touch(root, numbered("images/train/{:06d}.jpg", files // 2))
    touch(root, numbered("labels/train/{:06d}.txt", files // 2), "0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    touch(root, ["data.yaml"], "train: images/train\nval: images/train\nnames: [thing]\n")


def make_masks(root: Path, files: int) -> None:
    touch(root, numbered("images/{:06d}.jpg", files // 2))
    touch(root, numbered("masks/{:06d}.png", files // 2))


def make_nothing(root: Path, files: int) -> None:
    touch(root, numbered("{:06d}.jpg", files // 2))
    touch(root, numbered("{:06d}.json", files // 2), '{"name": "x"}')


MAKERS = {
    "coco": make_coco,
    "labelme": make_labelme,
    "yolo": make_yolo,
    "folder": make_masks,
    "of no format": make_nothing,
}


def recognition(files: int) -> dict[str, float]:
    """Returns the seconds that it takes to recognise a folder of each format."""
    seconds = {}
    for name, make in MAKERS.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), files)
            start = time.perf_counter()
            found = recognise(folder).name
            seconds[name] = round(time.perf_counter() - start, 2)
            if found != name and name in ("coco", "labelme", "yolo", "folder"):
                raise ValueError(f"The format must be found. Received: {found} for {name}.")
    return seconds


def polygons(rng: np.random.Generator, count: int) -> list[list[list[float]]]:
    """Returns star-shaped outlines of 30 points with radii of 20 to 120 pixels."""
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    centres = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    radii = rng.uniform(20, 120, (count, 1)) * rng.uniform(0.7, 1, (count, 30))
    points = centres[:, None] + radii[..., None] * np.stack([np.cos(angles), np.sin(angles)], -1)
    points = np.clip(points, 0, (WIDTH, HEIGHT)).round(2)
    return [[one.ravel().tolist()] for one in points]


def masks(photos: int, threads: int) -> dict[str, float]:
    """Returns the masks a second of COCO annotations, with and without reading the file."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        touch(root, numbered("images/{:06d}.jpg", photos))
        for number in range(photos):
            name = f"{number:06d}.jpg"
            images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
            annotations += [
                {"id": 7 * number + i, "image_id": number, "category_id": i, "segmentation": one}
                for i, one in enumerate(polygons(rng, 7))
            ]
        categories = [{"id": i, "name": f"class {i}"} for i in range(7)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "instances.json").write_text(json.dumps(content))
        start = time.perf_counter()
        data = read_dataset(root)
        read = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            for labels in pool.map(data.read_labels, range(photos)):
                if labels.shape != (HEIGHT, WIDTH):
                    raise ValueError(f"Masks must have the photo's size. Received: {labels.shape}.")
        end = time.perf_counter()
    return {
        "reading_seconds": round(read - start, 2),
        "masks_per_second": round(photos / (end - read)),
        "masks_per_second_with_reading": round(photos / (end - start)),
    }


def photos(count: int, threads: int) -> dict[str, float]:
    """Returns the photos a second that are decoded: a smooth JPEG of the same size."""
    levels = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), "uint8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        Image.fromarray(levels).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(read_image, [path] * count))
        return {"photos_per_second": round(count / (time.perf_counter() - start))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    result = {
        "files": options.files,
        "recognising_seconds": recognition(options.files),
        "photos": options.photos,
        **masks(options.photos, options.threads),
        **photos(options.photos, options.threads),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
