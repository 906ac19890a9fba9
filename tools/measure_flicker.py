"""Flicker of the labels of a video, and what smoothing over time changes.

    python tools/measure_flicker.py [--frames 30] [--size 257] [--noise 8] [--json FILE]

A still and a moving video are made of a photo in the package: the still one shows one view, the
moving one a view that wanders by two pixels per frame. Both have fresh noise in every frame and are
compressed. Flicker is the share of pixels whose label differs from that in the frame before, in the
still video, where nothing should change. The agreement is the share of pixels of the moving video
with the label of the frame without noise: smoothing delays what moves.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from keras_deeplab import DeepLab, open_segmenter, segment, segment_video
from keras_deeplab.data.samples import example_photos

HEIGHT, WIDTH = 240, 320
WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.9)


def views(frames: int, step: int) -> Iterator[np.ndarray]:
    """Yields views of the photo, each `step` pixels further to the right."""
    with Image.open(example_photos()["motorcycle"]) as photo:
        scale = (WIDTH + step * frames) / photo.width
        height = max(HEIGHT, round(scale * photo.height))
        wide = np.asarray(photo.convert("RGB").resize((WIDTH + step * frames, height)))
    for number in range(frames):
        left = step * number
        yield wide[:HEIGHT, left : left + WIDTH]


def write_video(path: Path, frames: int, step: int, noise: float) -> None:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"qscale": "4"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number, view in enumerate(views(frames, step)):
            noisy = np.clip(view + rng.normal(0, noise, view.shape), 0, 255).astype("uint8")
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def labels_of(network: Any, video: Path, size: int, smoothing: float) -> np.ndarray:
    frames = segment_video(network, video, size=size, smoothing=smoothing)
    return np.stack([frame.labels for frame in frames])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="voc", help="as for DeepLab")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", type=int, default=257)
    parser.add_argument("--noise", type=float, default=8.0, help="standard deviation, levels")
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    network = open_segmenter(DeepLab(weights=arguments.weights))
    truth = np.stack(
        [segment(network, view, size=arguments.size).labels for view in views(arguments.frames, 2)]
    )
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        still, moving = Path(folder, "still.mp4"), Path(folder, "moving.mp4")
        write_video(still, arguments.frames, 0, arguments.noise)
        write_video(moving, arguments.frames, 2, arguments.noise)
        for weight in WEIGHTS:
            fixed = labels_of(network, still, arguments.size, weight)
            wandering = labels_of(network, moving, arguments.size, weight)
            result[str(weight)] = {
                "flicker": float((fixed[1:] != fixed[:-1]).mean()),
                "agreement": float((wandering == truth).mean()),
            }
            print(weight, result[str(weight)], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
