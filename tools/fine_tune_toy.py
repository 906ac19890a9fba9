"""Fine-tunes the VOC network on 30 pictures of disks and squares, and measures it on 30 others.

    python tools/fine_tune_toy.py

Prints the time of the training and the mean IoU of three classes: background, disk, square. Colours
are random and say nothing about the class.
"""

import argparse
import json
import pathlib
import tempfile
import time

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ["background", "disk", "square"]


def write_pictures(folder: pathlib.Path, count: int, seed: int, side: int) -> None:
    """Writes pictures of up to three shapes on noise, with their masks."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = rng.integers(0, 256, (side // 8, side // 8, 3), "uint8")
        image = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
        mask = Image.new("L", (side, side))
        draw, paint = ImageDraw.Draw(image), ImageDraw.Draw(mask)
        for _ in range(rng.integers(1, 4)):
            label, radius = int(rng.integers(1, 3)), int(rng.integers(side // 9, side // 4))
            x, y = (int(v) for v in rng.integers(radius, side - radius, 2))
            box = (x - radius, y - radius, x + radius, y + radius)
            shape = "ellipse" if label == 1 else "rectangle"
            getattr(draw, shape)(box, fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
            getattr(paint, shape)(box, fill=label)
        image.save(folder / "images" / f"{number:03d}.png")
        mask.save(folder / "masks" / f"{number:03d}.png")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="voc")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--side", type=int, default=161, help="of the pictures, pixels")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the results")
    return parser.parse_args()


def main() -> None:
    from keras_deeplab import DeepLab, read_dataset, train

    options = parse_arguments()
    side = options.side
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_pictures(folder / "train", 30, 0, side)
        write_pictures(folder / "test", 30, 1, side)
        data, test = (read_dataset(folder, x, class_names=CLASSES) for x in ("train", "test"))
        model = DeepLab(weights=options.weights, classes=CLASSES)
        start = time.perf_counter()
        result = train(
            model,
            data,
            folder / "run",
            validation_data=test,
            size=side,
            validate_every=options.epochs,
            epochs=options.epochs,
            crop_size=(side, side),
            scales=(0.75, 1.5),
            pictures=0,
            verbose=2,
        )
        seconds = time.perf_counter() - start
    row = {"epochs": options.epochs, "seconds": seconds, "mean_iou": result.best_mean_iou}
    print(f"{seconds:.0f} s, mean IoU of the test pictures {result.best_mean_iou:.3f}")
    if options.json:
        options.json.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
