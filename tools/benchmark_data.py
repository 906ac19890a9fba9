"""Speed of the data pipeline: reading alone, with augmentation, and the training step it feeds.

    python tools/benchmark_data.py --data DIR

All three in images per second, one after the other on the same files, crop and batch. The pipeline
outruns training if its last figure is above the step's.
"""

import argparse
import itertools
import json
import pathlib
import time


def rate(iterator, images_per_item: int, seconds: float) -> float:
    """Returns images per second, after a few items to warm up."""
    for _ in range(3):
        next(iterator)
    items, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(iterator)
        items += 1
    return items * images_per_item / (time.perf_counter() - start)


def step_rate(batch, options: argparse.Namespace) -> float:
    """Returns the images per second of training steps on one batch."""
    import keras

    from keras_deeplab import DeepLab
    from keras_deeplab.losses import CrossEntropy

    model = DeepLab(backbone=options.backbone, classes=options.classes)
    model.compile(keras.optimizers.SGD(1e-6), CrossEntropy(), jit_compile=False)
    steps = (model.train_on_batch(*batch) for _ in itertools.count())
    return rate(steps, options.batch_size, options.seconds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of images and masks")
    parser.add_argument("--dataset", help="as in keras-deeplab train")
    parser.add_argument("--split")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, nargs=2, default=(257, 257))
    parser.add_argument("--seconds", type=float, default=8, help="per figure")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the results")
    return parser.parse_args()


def main() -> None:
    from keras_deeplab import read_dataset
    from keras_deeplab.data.pipeline import training_batches

    options = parse_arguments()
    data = read_dataset(options.data, options.split, dataset=options.dataset)
    options.classes = len(data.class_names)
    batches = training_batches(
        data, batch_size=options.batch_size, crop_size=tuple(options.crop), photometric=True
    )
    reading = iter(data.stream(shuffle=True).prefetch(1))
    row = {
        "images": len(data),
        "crop": list(options.crop),
        "reading": rate(reading, 1, options.seconds),
        "pipeline": rate(iter(batches), options.batch_size, options.seconds),
        "training": step_rate(next(iter(batches)), options),
    }
    row["pipeline_over_training"] = row["pipeline"] / row["training"]
    for name, value in row.items():
        print(f"{name:>24} {value if isinstance(value, (int, list)) else round(value, 1)}")
    if options.json:
        options.json.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
