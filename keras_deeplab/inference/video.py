"""Segments the frames of videos."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import tee
from pathlib import Path
from typing import Any, Unpack

from keras_deeplab.data.remote import is_remote, remote_path
from keras_deeplab.data.video_reader import Frame, VideoReader
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.options import InferenceOptions, InferenceSettings, resolve_options
from keras_deeplab.inference.scores import Scores, check_scores, smoothed
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.streaming import WORKERS, in_order, read_ahead

_logger = logging.getLogger("keras_deeplab")


def segment_video(
    model: Any,
    video: str | Path | int,
    *,
    every: int = 1,
    smoothing: float = 0.0,
    options: InferenceOptions | None = None,
    class_names: Sequence[str] | None = None,
    **settings: Unpack[InferenceSettings],
) -> Iterator[Segmentation]:
    """Segments the frames of a video, or of a camera, one after the other.

    Frames are read in advance in threads, and memory use does not grow with the length of the
    video. Of a damaged or truncated file, the readable frames are segmented; a warning in the log
    says how many. Needs PyAV: ``pip install "keras_deeplab[video]"``.

    Args:
        model: A model of `DeepLab`; any model from RGB 0-255 to scores of the same height and
            width; the path of a `.keras`, `.tflite` or `.onnx` file or of a SavedModel folder; or
            a `keras_deeplab.inference.Segmenter`.
        video: Path or address of a video (mp4, mov, avi, webm, mkv), or the number of a camera.
        every: Number of frames from one that is segmented to the next.
        smoothing: Weight of the frames before in an exponential mean of the probabilities, from 0
            (none) to less than 1. It reduces flicker and delays what moves: with 0.5, a pixel
            that changes its class follows within one or two frames.
        options: Size, scales, flip, sliding window, CRF, batch size and workers.
        class_names: Names by label id. Default: those stored in the model.
        **settings: Fields of `keras_deeplab.inference.InferenceOptions`, which replace those of
            `options`.

    Returns:
        Iterator over a `Segmentation` per frame. Its `time` is the frame's time stamp in seconds,
        and its `name` ends in the frame's number.

    Raises:
        ValueError: If the file is not a video, no frame is readable, or the network returns labels
            and `smoothing` is above 0.
        FileNotFoundError: If the file does not exist.
        ModuleNotFoundError: If PyAV is not installed.

    Example:

    >>> model = DeepLab(weights="voc")  # doctest: +SKIP
    >>> for frame in segment_video(model, "clip.mp4", smoothing=0.5):  # doctest: +SKIP
    ...     print(frame.time, frame.shares())
    """
    options = resolve_options(options, settings)
    segmenter = open_segmenter(model, class_names=class_names)
    check_smoothing(segmenter, smoothing)
    segmenter.check(options)
    reader = VideoReader(video, every=every)

    def results() -> Iterator[Segmentation]:
        with closing(reader):
            yield from segment_frames(segmenter, reader, options, smoothing=smoothing)
            if words := reader.damage():
                _logger.warning("%s", words)

    return results()


def segment_frames(
    segmenter: Segmenter, reader: VideoReader, options: InferenceOptions, *, smoothing: float
) -> Iterator[Segmentation]:
    """Yields the segmentation of each frame of a video that is open."""
    frames, again = tee(read_ahead(reader))
    workers = options.workers or WORKERS
    scores = segmenter.predict((frame.image for frame in again), options, labels_only=not smoothing)
    if smoothing:
        probabilities = in_order(Scores.as_probabilities, scores, workers=workers, ahead=workers)
        scores = smoothed(probabilities, smoothing)
    source = f"camera_{reader.source}" if reader.is_camera else str(reader.source)
    stem = (remote_path(source) if is_remote(source) else Path(source)).stem

    def build(item: tuple[Frame, Scores]) -> Segmentation:
        frame, one = item
        return Segmentation(
            image=frame.image,
            labels=one.labels(),
            class_names=segmenter.class_names,
            palette=segmenter.palette,
            name=f"{stem}_{frame.number:06}",
            time=frame.time,
        )

    return in_order(build, zip(frames, scores, strict=True), workers=workers, ahead=2 * workers)


def check_smoothing(segmenter: Segmenter, smoothing: float) -> None:
    """Raises `ValueError` unless the weight is valid and the network returns scores."""
    if not 0 <= smoothing < 1:
        raise ValueError(
            f"smoothing must be from 0 to less than 1. Received: smoothing={smoothing!r}."
        )
    if smoothing:
        check_scores(segmenter.output, "smoothing", segmenter.name)
