"""DeepLab semantic segmentation for Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wrapt import when_imported

from keras_deeplab._startup import quiet_tensorflow
from keras_deeplab._version import __version__ as __version__

if TYPE_CHECKING:
    from keras_deeplab.data import check_data as check_data
    from keras_deeplab.data import read_dataset as read_dataset
    from keras_deeplab.deeplab import DeepLab as DeepLab
    from keras_deeplab.deeplab import describe as describe
    from keras_deeplab.deeplab import list_models as list_models
    from keras_deeplab.evaluation import Evaluation as Evaluation
    from keras_deeplab.evaluation import evaluate as evaluate
    from keras_deeplab.exports import Export as Export
    from keras_deeplab.exports import export as export
    from keras_deeplab.inference import CRFSearch as CRFSearch
    from keras_deeplab.inference import DenseCRF as DenseCRF
    from keras_deeplab.inference import Segmentation as Segmentation
    from keras_deeplab.inference import Segmenter as Segmenter
    from keras_deeplab.inference import open_segmenter as open_segmenter
    from keras_deeplab.inference import segment as segment
    from keras_deeplab.inference import segment_video as segment_video
    from keras_deeplab.inference import tune_crf as tune_crf
    from keras_deeplab.models.atrous import atrous as atrous
    from keras_deeplab.training import Training as Training
    from keras_deeplab.training import train as train
    from keras_deeplab.weights import convert as convert

_NAMES = {
    "data": ("check_data", "read_dataset"),
    "deeplab": ("DeepLab", "describe", "list_models"),
    "evaluation": ("Evaluation", "evaluate"),
    "exports": ("Export", "export"),
    "inference": (
        *("CRFSearch", "DenseCRF", "Segmentation", "Segmenter"),
        *("open_segmenter", "segment", "segment_video", "tune_crf"),
    ),
    "models.atrous": ("atrous",),
    "training": ("Training", "train"),
    "weights": ("convert",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
_SUBMODULES = (
    "data",
    "evaluation",
    "exports",
    "inference",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "presets",
    "training",
    "visualize",
    "weights",
)
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    # Lazy imports: the presets and `keras-deeplab --help` do not have to load TensorFlow.
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({"__version__", "__doc__", "__file__", "__path__", *__all__, *_SUBMODULES})


quiet_tensorflow()


@when_imported("keras")
def _register_classes(keras: Any) -> None:
    # An import hook, so that `keras.models.load_model` finds our classes after
    # `import keras_deeplab`, in either import order, without importing Keras here.
    for module in ("layers", "losses", "metrics", "optimizers"):
        import_module(f"{__name__}.{module}")
