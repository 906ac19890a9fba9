"""Forward pass and gradient of atrous convolutions: ours, space to batch, and the native gradient.

    python tools/benchmark_convolution.py [--threads 2] [--repeats 5]

Prints the table in the docstring of `keras_deeplab.ops.convolution.atrous_conv2d`: medians in
seconds, the ways in turn. The native gradient exists on CPUs with oneDNN only.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from keras_deeplab.ops.convolution import atrous_conv2d

# Batch, side of the map, channels, filters, rate.
CASES = (
    (4, 32, 2048, 256, 12),
    (4, 32, 2048, 256, 24),
    (4, 32, 2048, 256, 36),
    (8, 16, 960, 256, 12),
    (4, 32, 512, 512, 4),
    (4, 32, 256, 256, 2),
)


def space_to_batch(x: Any, kernel: Any, *, rate: tuple[int, int]) -> Any:
    return tf.nn.convolution(x, kernel, padding="SAME", dilations=rate)


def native(x: Any, kernel: Any, *, rate: tuple[int, int]) -> Any:
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME", dilations=rate)


WAYS = {"space to batch": space_to_batch, "native gradient": native, "this": atrous_conv2d}


def step(convolution: Callable[..., Any], rate: int) -> Callable[..., Any]:
    @partial(tf.function, autograph=False)
    def run(x: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolution(x, kernel, rate=(rate, rate))
        # A sum per tensor, so that nothing is left out as unused.
        return [tf.reduce_sum(t) for t in (y, *tape.gradient(y, [x, kernel]))]

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(f"| batch x map x channels -> filters | rate | {' | '.join(WAYS)} |")
    print("|---" * (2 + len(WAYS)) + "|")
    for batch, side, channels, filters, rate in CASES:
        x = tf.random.normal((batch, side, side, channels))
        kernel = tf.random.normal((3, 3, channels, filters))
        steps = {name: step(way, rate) for name, way in WAYS.items()}
        seconds: dict[str, list[float]] = {name: [] for name in WAYS}
        # The first round traces.
        for number in range(options.repeats + 1):
            for name, run in steps.items():
                start = time.perf_counter()
                [value.numpy() for value in run(x, kernel)]
                if number:
                    seconds[name].append(time.perf_counter() - start)
        cells = [f"{statistics.median(values):.2f}" for values in seconds.values()]
        print(
            f"| {batch} x {side}x{side} x {channels} -> {filters} | {rate} | {' | '.join(cells)} |"
        )


if __name__ == "__main__":
    main()
