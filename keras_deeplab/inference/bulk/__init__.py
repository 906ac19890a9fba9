"""Many photos, videos and clusters: results on disk, engines."""

from keras_deeplab.inference.bulk.bulk_job import BulkJob
from keras_deeplab.inference.bulk.destination import Destination
from keras_deeplab.inference.bulk.photo_engine import segment_photos
from keras_deeplab.inference.bulk.ray_engine import RayActors, import_ray, segment_on_ray
from keras_deeplab.inference.bulk.record_book import RecordBook
from keras_deeplab.inference.bulk.result_files import ResultFiles
from keras_deeplab.inference.bulk.video_engine import write_video

__all__ = [
    "BulkJob",
    "Destination",
    "RayActors",
    "RecordBook",
    "ResultFiles",
    "import_ray",
    "segment_on_ray",
    "segment_photos",
    "write_video",
]
