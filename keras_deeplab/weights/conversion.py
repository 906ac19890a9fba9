"""Converts published checkpoints to `.keras` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from keras_deeplab._files import make_folder, write_atomically
from keras_deeplab.models import build_model
from keras_deeplab.weights.download import check_published
from keras_deeplab.weights.load import load_arrays
from keras_deeplab.weights.opening_checkpoint import open_checkpoint


def convert(
    source: str | Path,
    out: str | Path,
    *,
    converter: str | None = None,
    network: str | None = None,
    member: str = "",
    class_names: Sequence[str] | None = None,
) -> keras.Model:
    """Loads a checkpoint into a network and saves the network.

    Normalisation, padding, resize grid and output stride are those of the library that wrote it. A
    network with a single score, for a sigmoid, gets a background class whose score is 0: the
    probabilities and the threshold 1/2 stay the same.

    Args:
        source: File of TF-Slim (`.tar.gz`, `.index`), TFLite, Caffe (`.caffemodel`), Hugging Face,
            torchvision, mmsegmentation, segmentation_models_pytorch, or of the repositories of
            kazuto1011, VainF and jfzhang95.
        out: File to write, ending in .keras.
        converter: Name of a reader: "tf_slim", "torchvision", ... Default: found from the file.
        network: Name of the network, as in `keras_deeplab.list_models`. Default: found from the
            file; Caffe's must be given.
        member: Name of the weights inside ``source``, if it is an archive with several.
        class_names: Names by label id. Default: those of the published file, or those that are
            stored in the file; else "class 0", "class 1", ...

    Returns:
        The model that was saved; `DeepLab(weights=out)` loads it.

    Raises:
        ValueError: If a name is unknown, the checkpoint is damaged or for another network, or the
            number of names is not that of its classes.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> convert("net.tar.gz", "net.h5", converter="tf_slim", network="deeplab_v3_mobilenet_v2")
    Traceback (most recent call last):
    ValueError: out must end in .keras. Received: out='net.h5'.
    """
    if Path(out).suffix != ".keras":
        raise ValueError(f"out must end in .keras. Received: out={str(out)!r}.")
    if not Path(source).is_file():
        raise FileNotFoundError(f"source must be an existing file. Received: {str(source)!r}.")
    check_published(Path(source))
    start = open_checkpoint(
        source, converter=converter, network=network, member=member, class_names=class_names
    )
    model = build_model(start.row, class_names=start.class_names, options=start.options)
    load_arrays(model, start.arrays or {}, source=str(source))
    make_folder(Path(out).parent)
    with write_atomically(Path(out)) as partial:
        model.save(partial)
    return model
