"""The exports of the published VOC network: latency against Keras and the published 8-bit file.

    python tools/benchmark_export.py --folder DIR --calibrate DIR [--published FILE] [--json FILE]
        [--threads 2 1] [--repeats 9] [--images DIR --labels DIR]

Every contender turns the same 513x513 image into label ids; those of a number of threads run in
turn in one process. The exports are kept in --folder and made once. With --images and --labels
(masks by stem), the mean IoU of the float network and the 8-bit files is measured too; photos are
scaled to fit and padded with 127. --repeats 0 measures that alone. What a run does not measure
stays in the JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

NETWORK = "deeplab_v3_mobilenet_v2.voc_trainaug"
SIDE = 513
Run = Callable[[np.ndarray], np.ndarray]
EXPORTS = {
    "saved_model": dict(),
    "float.tflite": dict(),
    "int8.tflite": dict(quantize="int8", uint8_input=True),
    "float.onnx": dict(),
}


def make_exports(folder: Path, calibrate: Path) -> None:
    from keras_deeplab import DeepLab, export

    model = None
    for name, options in EXPORTS.items():
        if not (folder / name).exists():
            model = model or DeepLab(NETWORK)
            photos = calibrate if "quantize" in options else None
            result = export(
                model,
                folder / name,
                input_size=SIDE,
                batch=1,
                argmax=True,
                representative_data=photos,
                **options,
            )
            print(f"{result}\n", flush=True)


def keras_runs() -> dict[str, Run]:
    import tensorflow as tf

    from keras_deeplab import DeepLab

    model = DeepLab(NETWORK, input_shape=(SIDE, SIDE, 3))

    @tf.function
    def compiled(image: tf.Tensor) -> tf.Tensor:
        return tf.argmax(model(image, training=False), -1)

    return {
        "Keras, eager": lambda image: np.argmax(
            np.asarray(model(image.astype("float32"), training=False)), -1
        ),
        "Keras, compiled": lambda image: compiled(tf.constant(image, tf.float32)).numpy(),
    }


def saved_model(folder: Path) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(folder / "saved_model")
    return lambda image: loaded.serve(tf.constant(image, tf.float32)).numpy()


def tflite(path: Path, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], image.astype(source["dtype"]))
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return run


def onnx(path: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.astype("float32")})[0]


def latencies(folder: Path, published: Path | None, threads: int, repeats: int) -> dict:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    runs = {
        **keras_runs(),
        "SavedModel": saved_model(folder),
        "TFLite, float32": tflite(folder / "float.tflite", threads),
        "TFLite, int8": tflite(folder / "int8.tflite", threads),
        "ONNX Runtime": onnx(folder / "float.onnx", threads),
    }
    if published:
        runs["published 8-bit file"] = tflite(published, threads)
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), "uint8")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(image)
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run(image)
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {
            "median_ms": 1e3 * statistics.median(values),
            "fastest_ms": 1e3 * min(values),
        }
        for name, values in seconds.items()
    }


def accuracies(folder: Path, published: Path | None, images: Path, labels: Path) -> dict:
    from tqdm import tqdm

    from keras_deeplab.inference import fit_image
    from keras_deeplab.metrics import confusion_matrix, mean_iou, mean_iou_in_truth

    runs = {"Keras, float32": keras_runs()["Keras, compiled"]}
    runs["TFLite, int8"] = tflite(folder / "int8.tflite", 2)
    if published:
        runs["published 8-bit file"] = tflite(published, 2)
    matrices = {name: np.zeros((21, 21), int) for name in runs}
    for photo in tqdm(sorted(images.iterdir())):
        image = np.asarray(Image.open(photo).convert("RGB"))
        truth = np.asarray(Image.open(labels / f"{photo.stem}.png"))
        scale = SIDE / max(truth.shape)
        height, width = (max(1, round(side * scale)) for side in truth.shape)
        square = fit_image(image, (SIDE, SIDE))[None]
        for name, run in runs.items():
            small = Image.fromarray(run(square)[0, :height, :width].astype("uint8"))
            resized = np.asarray(small.resize(truth.shape[::-1], Image.Resampling.NEAREST))
            matrices[name] += confusion_matrix(truth, resized, classes=21)
    return {
        measure.__name__: {name: measure(matrix) for name, matrix in matrices.items()}
        for measure in (mean_iou, mean_iou_in_truth)
    }


def table(result: dict) -> str:
    lines = [f"{'':22} {'threads':>7} {'median':>9} {'fastest':>9}"]
    for threads, rows in result.get("latency", {}).items():
        for name, row in rows.items():
            times = f"{row['median_ms']:6.1f} ms {row['fastest_ms']:6.1f} ms"
            lines.append(f"{name:22} {threads:>7} {times}")
    lines += [f"{name:22} {size:>10,} bytes" for name, size in result["bytes"].items()]
    lines += [
        f"{name:22} {words} {value:.4f}"
        for words, key in (("mean IoU", "mean_iou"), ("of true classes", "mean_iou_in_truth"))
        for name, value in result.get(key, {}).items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where exports are kept")
    parser.add_argument("--calibrate", type=Path, required=True, help="folder of photos")
    parser.add_argument("--published", type=Path, help="8-bit .tflite file to compare with")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--images", type=Path, help="folder of photos to measure mean IoU on")
    parser.add_argument("--labels", type=Path, help="folder of their masks, by stem")
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        (threads,) = arguments.threads
        print(
            json.dumps(latencies(arguments.folder, arguments.published, threads, arguments.repeats))
        )
        return
    make_exports(arguments.folder, arguments.calibrate)
    result = {}
    if arguments.json and arguments.json.exists():
        result = json.loads(arguments.json.read_text())
    files = [arguments.folder / name for name in EXPORTS if "." in name]
    files += [arguments.published] if arguments.published else []
    result["bytes"] = {path.name: path.stat().st_size for path in files}
    if arguments.repeats:
        # A process of its own per number of threads: TensorFlow takes one only.
        result["latency"] = {
            str(threads): json.loads(
                subprocess.run(
                    [sys.executable, *sys.argv, "--worker", "--threads", str(threads)],
                    check=True,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "OMP_NUM_THREADS": str(threads)},
                ).stdout
            )
            for threads in arguments.threads
        }
    if arguments.labels:
        result |= accuracies(
            arguments.folder, arguments.published, arguments.images, arguments.labels
        )
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
