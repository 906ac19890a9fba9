"""Many photos, videos and clusters: results on disk, engines."""

from keras_deeplab.inference.bulk.bulk_job import BulkJob
from keras_deeplab.inference.bulk.destination import Destination
from keras_deeplab.inference.bulk.ray_engine import RayActors, import_ray, segment_on_ray
from keras_deeplab.inference.bulk.record_book import RecordBook
from keras_deeplab.inference.bulk.result_files import ResultFiles

__all__ = [
    "BulkJob",
    "Destination",
    "RayActors",
    "RecordBook",
    "ResultFiles",
    "import_ray",
    "segment_on_ray",
]
