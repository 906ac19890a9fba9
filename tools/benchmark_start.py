"""Times what a user waits for: imports, the command line from typed to written, a first step.

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

PRINTS = "print(time.perf_counter() - start)\n"
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
BUILD = """
import time
from keras_deeplab import DeepLab
start = time.perf_counter()
DeepLab(weights="voc")
print(time.perf_counter() - start)
"""
FIT = """
import time, keras, numpy as np
from keras_deeplab import DeepLab
model = DeepLab(weights="voc", classes=2)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
images, masks = np.zeros((1, 33, 33, 3), "float32"), np.zeros((1, 33, 33), "int32")
start = time.perf_counter()
{first}
model.fit(images, masks, verbose=0)
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
            "DeepLab(weights='voc')": python(BUILD),
            "DeepLab(weights='voc') on JAX": ["env", "KERAS_BACKEND=jax", *python(BUILD)],
            "first step of fit": python(FIT.format(first="")),
            "first step of fit after optimizer.build": python(
                FIT.format(first="model.optimizer.build(model.trainable_variables)")
            ),
            "keras-deeplab segment": [*module, "segment", arguments.photo, "--out", out],
            "keras-deeplab list": [*module, "list"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.repeats):
            for name, command in commands.items():
                wall, printed = timed(command)
                # Some print the seconds that count.
                seconds[name].append(float(printed) if command[-1].endswith(PRINTS) else wall)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{value:8.2f}  {name}")
    yardstick = medians["import tensorflow"] + medians["forward pass (warm)"]
    ratio = medians["keras-deeplab segment"] / yardstick
    print(f"segment takes {ratio:.2f} times importing TensorFlow plus one forward pass")


if __name__ == "__main__":
    main()
