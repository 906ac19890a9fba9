"""DeepLab semantic segmentation for Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wrapt import when_imported

if TYPE_CHECKING:
    from keras_deeplab.crf_search import CRFSearch, tune_crf
    from keras_deeplab.data import read_dataset
    from keras_deeplab.deeplab import DeepLab, list_models
    from keras_deeplab.dense_crf import DenseCRF
    from keras_deeplab.evaluation import Evaluation, evaluate
    from keras_deeplab.exports import Export, export
    from keras_deeplab.predict import Segmentation, segment
    from keras_deeplab.runners import Segmenter, open_segmenter
    from keras_deeplab.training import Training, train

__version__ = "0.1.0"
__all__ = [
    "CRFSearch",
    "DeepLab",
    "DenseCRF",
    "Evaluation",
    "Export",
    "Segmentation",
    "Segmenter",
    "Training",
    "evaluate",
    "export",
    "list_models",
    "open_segmenter",
    "read_dataset",
    "segment",
    "train",
    "tune_crf",
]

_ROOMS = {
    "CRFSearch": "crf_search",
    "DeepLab": "deeplab",
    "DenseCRF": "dense_crf",
    "Evaluation": "evaluation",
    "Export": "exports",
    "Segmentation": "predict",
    "Segmenter": "runners",
    "Training": "training",
    "evaluate": "evaluation",
    "export": "exports",
    "list_models": "deeplab",
    "open_segmenter": "runners",
    "read_dataset": "data",
    "segment": "predict",
    "train": "training",
    "tune_crf": "crf_search",
}


def __getattr__(name: str) -> Any:
    # Names are imported on first use, so that the tables and `keras-deeplab --help` come without
    # waiting for TensorFlow.
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


@when_imported("keras")
def _register_classes(keras: Any) -> None:
    # `keras.models.load_model` finds our classes after `import keras_deeplab` alone, in whichever
    # order the two are imported.
    for room in ("layers", "losses", "metrics", "optimizers", "schedules"):
        import_module(f"{__name__}.{room}")
