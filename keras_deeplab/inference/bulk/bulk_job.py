"""What is done with photos and videos, on this machine or on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.data.video_reader import VideoReader
from keras_deeplab.inference.bulk.photo_engine import segment_photos
from keras_deeplab.inference.bulk.result_files import ResultFiles
from keras_deeplab.inference.bulk.video_engine import write_video
from keras_deeplab.inference.opening import open_segmenter
from keras_deeplab.inference.options import InferenceOptions

Outcome = dict[str, Any] | Exception
Watch = Callable[[Item, VideoReader], AbstractContextManager[Callable[[], object]]]


def _unwatched(item: Item, reader: VideoReader) -> AbstractContextManager[Callable[[], object]]:
    return nullcontext(lambda: None)


@dataclass(frozen=True)
class BulkJob:
    """Segments photos and videos and writes their results.

    Attributes:
        files: Where the results go, and their format.
        options: Size, scales, flip, sliding window, CRF, batch size and workers.
        every: Of videos, every how manieth frame is segmented.
        smoothing: Of videos, the weight of the frames before, from 0 to less than 1.
    """

    files: ResultFiles
    options: InferenceOptions
    every: int = 1
    smoothing: float = 0.0

    def outcomes(
        self, model: Any, items: Sequence[Item], *, watch: Watch = _unwatched
    ) -> Iterator[tuple[Item, Outcome]]:
        """Yields each photo and video, in order, with the record of its result, or the error.

        Args:
            model: A Keras model, the path of an exported file, or a `Segmenter`.
            items: Photos and videos, with the names of their results.
            watch: Returns a context around each video with a function to call after every frame.
        """
        photos = [item for item in items if not item.is_video]
        results = segment_photos(model, photos, self.files, options=self.options)
        for item in items:
            yield item, self._video(model, item, watch) if item.is_video else next(results)

    def _video(self, model: Any, item: Item, watch: Watch) -> Outcome:
        try:
            source = item.camera if item.is_camera else item.source
            reader = VideoReader(source, every=self.every)
        except (ValueError, OSError) as error:
            return error
        try:
            with watch(item, reader) as on_frame:
                return write_video(
                    open_segmenter(model),
                    reader,
                    item.name,
                    self.files,
                    options=self.options,
                    smoothing=self.smoothing,
                    on_frame=on_frame,
                )
        except (ValueError, OSError) as error:
            return error
        finally:
            reader.close()
