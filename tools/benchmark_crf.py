"""Time, peak memory and agreement of the dense CRF against pydensecrf2.

    python tools/benchmark_crf.py --json crf.json

Contenders run interleaved in one process for time (whole calls: construction and all iterations)
and each in a fresh process for memory (peak above what its imports take; Linux). pydensecrf2 runs
on one thread, as it always does.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SIZES = ("250x333x21", "375x500x21", "500x667x21", "1024x2048x19")


def make_case(size: str, photo: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns a smooth random unary `(H, W, C)`, nats, and a photo `(H, W, 3)` uint8."""
    import skimage.data
    import skimage.transform

    height, width, classes = map(int, size.split("x"))
    source = getattr(skimage.data, photo)()
    image = skimage.transform.resize(source, (height, width), anti_aliasing=True)
    coarse = np.random.default_rng(seed).normal(size=(height // 16 + 2, width // 16 + 2, classes))
    logits = skimage.transform.resize(2 * coarse, (height, width, classes), order=1)
    unary = np.log(np.exp(logits).sum(-1, keepdims=True)) - logits
    return unary.astype("float32"), np.ascontiguousarray((255 * image).astype("uint8"))


def run_ours(unary: np.ndarray, image: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Runs keras_deeplab."""
    from keras_deeplab.ops.mean_field import mean_field

    probabilities = mean_field(
        unary[np.newaxis],
        image[np.newaxis],
        theta_alpha=options.theta_alpha,
        theta_beta=options.theta_beta,
        theta_gamma=options.theta_gamma,
        bilateral_weight=options.bilateral_weight,
        spatial_weight=options.spatial_weight,
        num_iterations=options.iterations,
        engine=options.engine,
    )
    return probabilities.numpy()[0]


def run_peer(unary: np.ndarray, image: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Runs pydensecrf2."""
    from pydensecrf.densecrf import DenseCRF2D

    height, width, classes = unary.shape
    crf = DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(-1, classes).T))
    crf.addPairwiseGaussian(sxy=options.theta_gamma, compat=options.spatial_weight)
    crf.addPairwiseBilateral(
        sxy=options.theta_alpha,
        srgb=options.theta_beta,
        rgbim=image,
        compat=options.bilateral_weight,
    )
    return np.array(crf.inference(options.iterations)).T.reshape(unary.shape)


CONTENDERS = {"ours": run_ours, "pydensecrf2": run_peer}


def peak_memory(name: str, unary: np.ndarray, image: np.ndarray) -> float:
    """Returns MiB above the imports, measured in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.npz"
        np.savez(path, unary=unary, image=image)
        command = [sys.executable, __file__, *sys.argv[1:], "--child", name, str(path)]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(result.stdout.split()[-1])


def report_memory(options: argparse.Namespace) -> None:
    """Prints the growth of the peak memory from a tiny call to the real one."""
    name, path = options.child
    case = np.load(path)
    unary, image = case["unary"], case["image"]
    run = CONTENDERS[name]
    # The tiny call loads the libraries and traces graphs, which is no memory of the CRF.
    run(unary[:16, :16], np.ascontiguousarray(image[:16, :16]), options)
    before = _peak_mib()
    run(unary, image, options)
    print(_peak_mib() - before)


def _peak_mib() -> float:
    # getrusage would not do: a child inherits its parent's peak.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(size: str, options: argparse.Namespace) -> dict[str, float | str]:
    """Measures one size."""
    unary, image = make_case(size, options.photo)
    ours, peer = (run(unary, image, options) for run in CONTENDERS.values())
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(options.repeats):
        for name, run in CONTENDERS.items():
            start = time.perf_counter()
            run(unary, image, options)
            seconds[name].append(time.perf_counter() - start)
    row: dict[str, float | str] = {"size": size}
    for name, values in seconds.items():
        row[f"{name}_s"] = min(values)
    row["ratio_of_minima"] = min(seconds["ours"]) / min(seconds["pydensecrf2"])
    row["ratio_of_medians"] = statistics.median(seconds["ours"]) / statistics.median(
        seconds["pydensecrf2"]
    )
    row["labels_equal"] = float((ours.argmax(-1) == peer.argmax(-1)).mean())
    row["max_dq"] = float(np.abs(ours - peer).max())
    for name in CONTENDERS:
        row[f"{name}_mib"] = peak_memory(name, unary, image)
    return row


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="HEIGHTxWIDTHxCLASSES")
    parser.add_argument("--photo", default="chelsea", help="name of a photo in skimage.data")
    parser.add_argument("--engine", default="permutohedral")
    parser.add_argument("--theta-alpha", type=float, default=67, help="pixels")
    parser.add_argument("--theta-beta", type=float, default=3, help="RGB levels")
    parser.add_argument("--theta-gamma", type=float, default=3, help="pixels")
    parser.add_argument("--bilateral-weight", type=float, default=4)
    parser.add_argument("--spatial-weight", type=float, default=3)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, help="where to write the results")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Prints a table and writes JSON."""
    options = parse_arguments()
    if options.child:
        report_memory(options)
        return
    rows = []
    for size in options.sizes:
        rows.append(measure(size, options))
        if len(rows) == 1:
            print(" ".join(f"{name:>16}" for name in rows[0]))
        cells = (f"{v:16.4f}" if isinstance(v, float) else f"{v:>16}" for v in rows[-1].values())
        print(" ".join(cells), flush=True)
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("json", "child")}
        options.json.write_text(json.dumps({"settings": settings, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
