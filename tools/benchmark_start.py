"""Times what a user waits for: imports, and the command line from typed to written.

    python tools/benchmark_start.py PHOTO [--repeats 5]

Every figure is the median over fresh processes, run in turn, in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

FORWARD = """
import time, numpy as np
from PIL import Image
from keras_deeplab import DeepLab, segment
model, photo = DeepLab(weights="voc"), np.asarray(Image.open({photo!r}).convert("RGB"))
segment(model, photo)
start = time.perf_counter()
segment(model, photo)
print(time.perf_counter() - start)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", code]


def timed(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, run.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", help="image file")
    parser.add_argument("--repeats", type=int, default=5, help="fresh processes per figure")
    arguments = parser.parse_args()
    module = [sys.executable, "-m", "keras_deeplab"]
    with tempfile.TemporaryDirectory() as out:
        commands = {
            "import tensorflow": python("import tensorflow"),
            "import keras": python("import keras"),
            "import keras, keras_deeplab": python("import keras, keras_deeplab"),
            "from keras_deeplab import DeepLab": python(
                "from keras_deeplab import DeepLab, segment"
            ),
            "forward pass (warm)": python(FORWARD.format(photo=arguments.photo)),
            "keras-deeplab segment": [*module, "segment", arguments.photo, "--out", out],
            "keras-deeplab list": [*module, "list"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.repeats):
            for name, command in commands.items():
                wall, printed = timed(command)
                seconds[name].append(float(printed) if "forward" in name else wall)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{value:8.2f}  {name}")
    yardstick = medians["import tensorflow"] + medians["forward pass (warm)"]
    ratio = medians["keras-deeplab segment"] / yardstick
    print(f"segment takes {ratio:.2f} times importing TensorFlow plus one forward pass")


if __name__ == "__main__":
    main()
