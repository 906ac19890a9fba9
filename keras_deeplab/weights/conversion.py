"""Converts published checkpoints to `.keras` files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import keras

from keras_deeplab._files import write_atomically
from keras_deeplab._validation import check_choice
from keras_deeplab.models import BuildOptions, build_model
from keras_deeplab.presets.datasets import DATASETS, numbered_classes
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS, WeightsRow
from keras_deeplab.weights.download import check_published
from keras_deeplab.weights.load import load_arrays
from keras_deeplab.weights.readers.converters import CONVERTERS


def convert(
    source: str | Path, out: str | Path, *, converter: str, network: str, member: str = ""
) -> keras.Model:
    """Loads a checkpoint into a network and saves the network.

    Normalisation and resize grid are those of published weights for the same converter and, if
    available, the same network.

    Args:
        source: File in the format of ``converter``.
        out: File to write, ending in .keras.
        converter: Name of a reader: "tf_slim", "torchvision", ...
        network: Name of the network, as in `keras_deeplab.list_models`.
        member: Name of the weights inside ``source``, if it is an archive with several.

    Returns:
        The model that was saved; `DeepLab(weights=out)` loads it.

    Raises:
        ValueError: If a name is unknown, or the checkpoint is damaged or for another network.
        FileNotFoundError: If the file does not exist.

    Example:

    >>> convert("net.tar.gz", "net.h5", converter="tf_slim", network="deeplab_v3_mobilenet_v2")
    Traceback (most recent call last):
    ValueError: out must end in .keras. Received: out='net.h5'.
    """
    check_choice("converter", converter, tuple(CONVERTERS))
    check_choice("network", network, tuple(DEEPLABS))
    if Path(out).suffix != ".keras":
        raise ValueError(f"out must end in .keras. Received: out={str(out)!r}.")
    if not Path(source).is_file():
        raise FileNotFoundError(f"source must be an existing file. Received: {str(source)!r}.")
    check_published(Path(source))
    arrays = CONVERTERS[converter](source, **({"member": member} if member else {}))
    row = _published(converter, network)
    biases = [a.size for key, a in arrays.items() if re.fullmatch(r"classifier\w*/bias", key)]
    options = BuildOptions.published(row)
    if row.network != network:
        options = replace(options, output_stride=None, multi_scale_inputs=(), inference_size=None)
    model = build_model(
        DEEPLABS[network],
        class_names=_class_names(biases[0] if biases else 0, row),
        options=options,
    )
    load_arrays(model, arrays, source=str(source))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(Path(out)) as partial:
        model.save(partial)
    return model


def _published(converter: str, network: str) -> WeightsRow:
    rows = [row for row in WEIGHTS.values() if row.converter == converter]
    # The first weights of this network; else the first weights in this format.
    return next((row for row in rows if row.network == network), rows[0])


def _class_names(classes: int, row: WeightsRow) -> tuple[str, ...]:
    datasets = [DATASETS[row.dataset], *DATASETS.values()]
    for dataset in datasets:
        if len(dataset.class_names) == classes:
            return dataset.class_names
    return numbered_classes(classes)
