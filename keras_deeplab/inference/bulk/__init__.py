"""Many photos, videos and clusters: results on disk, engines."""

from keras_deeplab.inference.bulk.destination import Destination
from keras_deeplab.inference.bulk.photo_engine import segment_photos
from keras_deeplab.inference.bulk.record_book import RecordBook
from keras_deeplab.inference.bulk.result_files import ResultFiles
from keras_deeplab.inference.bulk.video_engine import write_video

__all__ = ["Destination", "RecordBook", "ResultFiles", "segment_photos", "write_video"]
