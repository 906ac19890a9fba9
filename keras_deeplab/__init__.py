"""DeepLab semantic segmentation for Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wrapt import when_imported

if TYPE_CHECKING:
    from keras_deeplab.crf_search import CRFSearch, tune_crf
    from keras_deeplab.deeplab import DeepLab, list_models
    from keras_deeplab.dense_crf import DenseCRF
    from keras_deeplab.exports import Export, export
    from keras_deeplab.predict import Segmentation, segment

__version__ = "0.1.0"
__all__ = [
    "CRFSearch",
    "DeepLab",
    "DenseCRF",
    "Export",
    "Segmentation",
    "export",
    "list_models",
    "segment",
    "tune_crf",
]

_ROOMS = {
    "CRFSearch": "crf_search",
    "DeepLab": "deeplab",
    "DenseCRF": "dense_crf",
    "Export": "exports",
    "Segmentation": "predict",
    "export": "exports",
    "list_models": "deeplab",
    "segment": "predict",
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
def _register_layers(keras: Any) -> None:
    # `keras.models.load_model` finds our layers after `import keras_deeplab` alone, in whichever
    # order the two are imported.
    import_module(f"{__name__}.layers")
