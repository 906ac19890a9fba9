"""What is done with photos and videos, on this machine or on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.data.video_reader import VideoReader
from keras_deeplab.inference.bulk.result_files import ResultFiles, VideoFiles
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.options import InferenceOptions
from keras_deeplab.inference.segment_photos import segment
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.inference.segmenter import Segmenter
from keras_deeplab.inference.streaming import WORKERS, in_order
from keras_deeplab.inference.video import check_smoothing, segment_frames

Outcome = dict[str, Any] | Exception
Watch = Callable[[Item, VideoReader], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True)
class BulkJob:
    """Segments photos and videos and writes their results.

    Of videos, each `every`-th frame is segmented, and `smoothing` is the weight of those before.
    """

    files: ResultFiles
    options: InferenceOptions
    every: int = 1
    smoothing: float = 0.0

    def outcomes(
        self, model: Any, items: Sequence[Item], *, watch: Watch | None = None
    ) -> Iterator[tuple[Item, Outcome]]:
        """Yields each photo and video, in order, with the record of its result, or the error.

        `watch` returns a context around each video, with a function to call after every frame.
        """
        segmenter = open_segmenter(model)
        photos = [item for item in items if not item.is_video]

        def save(number: int, result: Segmentation) -> dict[str, Any]:
            photo = photos[number]
            return self.files.save(result, photo=photo.identity, name=photo.name)

        sources = [item.source for item in photos]
        results = segment(segmenter, sources, options=self.options).outcomes(save)
        for item in items:
            yield item, self._video(segmenter, item, watch) if item.is_video else next(results)

    def _video(self, segmenter: Segmenter, item: Item, watch: Watch | None) -> Outcome:
        source = item.camera if item.is_camera else item.source
        try:
            with (
                closing(VideoReader(source, every=self.every)) as reader,
                watch(item, reader) if watch else nullcontext(lambda: None) as on_frame,
            ):
                return self._record(segmenter, reader, item.name, on_frame)
        except (ValueError, OSError) as error:
            return error

    def _record(
        self, segmenter: Segmenter, reader: VideoReader, name: str, on_frame: Callable[[], object]
    ) -> dict[str, Any]:
        """Segments a video, writes the results and returns the record.

        It writes NAME_overlay.mp4 with the sound of the video, and the masks as the files of a
        folder NAME_mask, or for the format "video" as NAME_mask.mkv, without loss. A camera runs
        until Ctrl-C.
        """
        check_smoothing(segmenter, self.smoothing)
        results = segment_frames(segmenter, reader, self.options, smoothing=self.smoothing)
        frames, last, totals = 0, 0.0, dict.fromkeys(segmenter.class_names, 0.0)
        workers = self.options.workers or WORKERS
        output = VideoFiles(reader, name, self.files)
        try:
            with suppress(*(KeyboardInterrupt,) if reader.is_camera else ()):
                for frame, overlay, mask in in_order(
                    output.render, results, workers=workers, ahead=2 * workers
                ):
                    output.write(frame, overlay, mask)
                    for label, share in frame.shares().items():
                        totals[label] += share
                    frames, last = frames + 1, frame.time or 0.0
                    on_frame()
            written = output.finish()
        except BaseException:
            output.discard()
            raise
        shares = {label: total / frames for label, total in totals.items() if total}
        ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
        record = {**written, "frames": frames, "seconds": round(last, 3), "shares": ordered}
        damage = reader.damage()
        return record if damage is None else {**record, "damage": damage}
