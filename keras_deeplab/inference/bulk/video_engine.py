"""Segments a video or camera and writes its overlay and masks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.data.video_reader import VideoReader
from keras_deeplab.inference.bulk.result_files import ResultFiles, encoded_mask, mask_suffix
from keras_deeplab.inference.bulk.video_writer import VideoWriter
from keras_deeplab.inference.options import InferenceOptions
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.streaming import WORKERS, in_order
from keras_deeplab.inference.video import check_smoothing, segment_frames

Rendered = tuple[Segmentation, np.ndarray | None, bytes | None]


def write_video(
    segmenter: Segmenter,
    reader: VideoReader,
    name: str,
    files: ResultFiles,
    *,
    options: InferenceOptions,
    smoothing: float = 0.0,
    on_frame: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Segments a video, writes the results and returns the record.

    It writes NAME_overlay.mp4 with the sound of the video, and the masks as the files of a folder
    NAME_mask, or for the format "video" as NAME_mask.mkv, without loss. The files get their names
    when they are complete. A camera runs until Ctrl-C.

    Args:
        segmenter: The network.
        reader: The video.
        name: Prefix of the names of its files.
        files: Where the results go, and their format.
        options: Size, scales, flip, sliding window, CRF, batch size and workers.
        smoothing: Weight of the frames before, from 0 to less than 1.
        on_frame: Called after each frame.
    """
    check_smoothing(segmenter, smoothing)
    segmenter.check(options)
    output = _Output(reader, name, files)

    def render(frame: Segmentation) -> Rendered:
        overlay = mask = None
        if files.overlay:
            overlay = np.asarray(frame.overlay(opacity=files.opacity, legend=False))
        if files.format not in ("none", "video"):
            mask = encoded_mask(frame, files.format)
        return frame, overlay, mask

    totals: dict[str, float] = {}
    frames, last = 0, 0.0
    segmentations = segment_frames(segmenter, reader, options, smoothing=smoothing)
    workers = options.workers or WORKERS
    stops = (KeyboardInterrupt,) if reader.is_camera else ()
    try:
        with contextlib.suppress(*stops):
            for frame, overlay, mask in in_order(
                render, segmentations, workers=workers, ahead=2 * workers
            ):
                output.write(frame, overlay, mask)
                for label, share in frame.shares().items():
                    totals[label] = totals.get(label, 0.0) + share
                frames, last = frames + 1, frame.time or 0.0
                on_frame()
        written = output.finish()
    except BaseException:
        output.discard()
        raise
    shares = {label: total / frames for label, total in totals.items()}
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
    record = {**written, "frames": frames, "seconds": round(last, 3), "shares": ordered}
    damage = reader.damage()
    return record if damage is None else {**record, "damage": damage}


class _Output:
    """The unfinished files of a video."""

    def __init__(self, reader: VideoReader, name: str, files: ResultFiles) -> None:
        self.files = files
        self.partial: dict[str, tuple[Path, str]] = {}
        self.writers: dict[str, VideoWriter] = {}
        self.suffix = mask_suffix(files.format)
        rate = reader.rate / reader.every
        unfinished = files.destination.unfinished
        if files.overlay:
            path = unfinished(".mp4")
            self.partial["overlay"] = path, f"{name}_overlay.mp4"
            sound = None if reader.is_camera else reader.path
            self.writers["overlay"] = VideoWriter(path, rate, sound=sound)
        if files.format == "video":
            path = unfinished(".mkv")
            self.partial["mask"] = path, f"{name}_mask.mkv"
            self.writers["mask"] = VideoWriter(path, rate, lossless=True)
        elif files.format != "none":
            path = unfinished()
            path.mkdir()
            self.partial["mask"] = path, f"{name}_mask"

    def write(self, frame: Segmentation, overlay: np.ndarray | None, mask: bytes | None) -> None:
        seconds = frame.time or 0.0
        if overlay is not None:
            self.writers["overlay"].write(overlay, seconds)
        if mask is not None:
            number = frame.name.rpartition("_")[2]
            (self.partial["mask"][0] / f"{number}{self.suffix}").write_bytes(mask)
        elif "mask" in self.writers:
            self.writers["mask"].write(frame.labels, seconds)

    def finish(self) -> dict[str, str]:
        """Closes the files, gives them their names, and returns these by kind."""
        for writer in self.writers.values():
            writer.close()
        for path, name in self.partial.values():
            self.files.destination.put(path, name)
        return {kind: name for kind, (_, name) in self.partial.items()}

    def discard(self) -> None:
        """Removes the unfinished files."""
        for writer in self.writers.values():
            with contextlib.suppress(Exception):
                writer.close()
        for path, _ in self.partial.values():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)
