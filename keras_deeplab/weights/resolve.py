"""Resolves the arguments of `DeepLab` to a network, its options and the weights to load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from keras_deeplab._validation import check_choice, listed, suggestion
from keras_deeplab.layers import RescaleBilinear
from keras_deeplab.layers.segmentation_output import find_output
from keras_deeplab.models import BuildOptions
from keras_deeplab.models.blocks import normalization_mode
from keras_deeplab.models.keras_file import load_keras_file
from keras_deeplab.models.multi_scale import scores_name
from keras_deeplab.models.saved_network import (
    converted_backbone,
    converted_row,
    output_stride_of,
)
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.imagenet import IMAGENET
from keras_deeplab.presets.networks import DEEPLABS, DeepLabRow, is_head_layer
from keras_deeplab.presets.weights import WEIGHTS, WeightsRow
from keras_deeplab.weights.download import weights_file
from keras_deeplab.weights.imagenet_backbones import imagenet_row
from keras_deeplab.weights.load import all_layers, named_weights
from keras_deeplab.weights.opening_checkpoint import ResolvedWeights, open_checkpoint
from keras_deeplab.weights.readers.converters import read_arrays


def resolve_weights(
    weights: str | Path | None, version: str | None, backbone: str | None, variant: str | None
) -> ResolvedWeights:
    """Resolves the arguments of `keras_deeplab.DeepLab`.

    Raises:
        ValueError: If a name is unknown, or there are no weights for the combination.
        FileNotFoundError: If ``weights`` is a path and the file does not exist.
    """
    networks = _networks("v3_plus" if version == "v3+" else version, backbone, variant)
    if weights is None:
        return ResolvedWeights(networks[0], DATASETS["voc"].class_names)
    if weights == "imagenet":
        return _from_imagenet(networks)
    if weights in WEIGHTS and (network := _other_head(WEIGHTS[str(weights)], networks)):
        return _with_fresh_head(_from_row(WEIGHTS[str(weights)]), network)
    if weights in WEIGHTS or weights in DATASETS:
        return _from_row(_weights_row(str(weights), networks))
    path = Path(weights).expanduser()
    if path.suffix in (".keras", ".tflite") or path.is_file():
        return from_file(path, networks)
    known = [*DATASETS, *WEIGHTS]
    raise ValueError(
        f"weights must be None, 'imagenet', a dataset with weights "
        f"({', '.join(sorted({row.dataset for row in WEIGHTS.values()}))}), a row name of "
        f"list_models(), or a file. Received: weights={str(weights)!r}."
        f"{suggestion(weights, known)}"
    )


def _networks(version: str | None, backbone: str | None, variant: str | None) -> list[DeepLabRow]:
    found = list(DEEPLABS.values())
    if version is not None:
        check_choice("version", version, sorted({row.version for row in found}))
        found = [row for row in found if row.version == version]
    if backbone is not None:
        check_choice("backbone", backbone, sorted({row.backbone for row in DEEPLABS.values()}))
        near = [row for row in found if f"{row.backbone}_".startswith(f"{backbone}_")]
        own = [row for row in near if not row.reads]
        exact = [row for row in own if row.backbone == backbone]
        found = (exact or own) + [row for row in near if row.reads]
    if variant is not None:
        found = [row for row in found if row.variant == variant]
    if not found:
        raise ValueError(
            f"version, backbone and variant must be those of one network: {', '.join(DEEPLABS)}. "
            f"Received: version={version!r}, backbone={backbone!r}, variant={variant!r}."
        )
    return found


def _weights_row(weights: str, networks: list[DeepLabRow]) -> WeightsRow:
    names = {network.name for network in networks}
    rows = [
        row
        for row in WEIGHTS.values()
        if weights in (row.name, row.dataset) and row.network in names
    ]
    if not rows:
        dataset = WEIGHTS[weights].dataset if weights in WEIGHTS else weights
        near = [row for row in WEIGHTS.values() if row.dataset == dataset or row.network in names]
        raise ValueError(
            f"There must be weights for the combination. There are: "
            f"{listed([row.name for row in near], 8) or 'none'}. Received: weights={weights!r} "
            f"with {listed(sorted(names), 8)}."
        )
    return max(rows, key=lambda row: (row.recommended, not row.trained_on_val))


def _other_head(row: WeightsRow, networks: list[DeepLabRow]) -> DeepLabRow | None:
    """Returns the requested network if it has the backbone of the weights but another head."""
    if any(network.name == row.network for network in networks):
        return None
    backbone = DEEPLABS[row.network].backbone
    return next((network for network in networks if network.backbone == backbone), None)


def _with_fresh_head(start: ResolvedWeights, network: DeepLabRow) -> ResolvedWeights:
    arrays = start.arrays or {}
    return replace(
        start,
        row=network,
        arrays={key: array for key, array in arrays.items() if not is_head_layer(key)},
        options=replace(
            start.options, output_stride=None, multi_scale_inputs=(), head_batch_norm="trainable"
        ),
        backbone_only=True,
    )


def _from_imagenet(networks: list[DeepLabRow]) -> ResolvedWeights:
    network = next((row for row in networks if row.backbone in IMAGENET), networks[0])
    start = imagenet_row(network.backbone)
    return ResolvedWeights(
        network,
        DATASETS["voc"].class_names,
        BuildOptions(preprocessing=start.preprocessing, padding=start.padding),
        imagenet=True,
    )


def _from_row(row: WeightsRow) -> ResolvedWeights:
    return ResolvedWeights(
        DEEPLABS[row.network],
        DATASETS[row.dataset].class_names,
        BuildOptions.published(row),
        source=row.name,
        arrays=read_arrays(weights_file(row), row.converter, member=row.member),
    )


def from_file(path: Path, networks: list[DeepLabRow]) -> ResolvedWeights:
    """Reads a file of weights for one of several networks.

    Raises:
        ValueError: If the file holds no network of `keras_deeplab.DeepLab`.
        FileNotFoundError: If it does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights must be an existing file. Received: {str(path)!r}.")
    if path.suffix != ".keras":
        return _from_checkpoint(path, networks)
    saved = load_keras_file(path)
    output = find_output(saved)
    if output is None or all(layer.name != "upsampling" for layer in saved.layers):
        raise ValueError(
            f"{path} must hold a model that DeepLab() built. Received: the model {saved.name!r}."
        )
    arrays = {
        key: keras.ops.convert_to_numpy(variable) for key, variable in named_weights(saved).items()
    }
    normalised = [key for key in arrays if "_bn/" in key]
    options = BuildOptions(
        preprocessing=_saved_preprocessing(saved),
        align_corners=saved.get_layer("upsampling").align_corners,
        batch_norm="folded" if all(map(is_head_layer, normalised)) else "trainable",
        head_batch_norm="trainable" if any(map(is_head_layer, normalised)) else "folded",
        inference_size=output.inference_size,
        padding=_saved_padding(saved),
        multi_scale_inputs=_saved_scales(saved),
        multi_scale_grid=_saved_grid(saved),
    )
    # By default, a model is named after its network.
    name = output.network or saved.name
    row = next((row for row in networks if row.name == name), networks[0])
    start = ResolvedWeights(row, output.class_names, options, source=str(path), arrays=arrays)
    own = None if row.name == name or name in DEEPLABS else converted_row(saved, name)
    if own is None or row.name not in DEEPLABS:
        return start
    if len(networks) < len(DEEPLABS):
        raise ValueError(
            f"version, backbone and variant must be left out for a file with a backbone of its "
            f"own. Received: {path}, which holds {name!r}."
        )
    options = replace(
        with_any_backbone(options),
        preprocessing=options.preprocessing if _has_preprocessing(saved) else None,
        output_stride=output_stride_of(saved),
    )
    return replace(start, row=own, options=options, network=converted_backbone(saved))


def with_any_backbone(options: BuildOptions) -> BuildOptions:
    """Returns options read from a file, for a backbone that is no row: its layers tell no more."""
    return replace(
        options, batch_norm="trainable", head_batch_norm="trainable", padding="symmetric"
    )


def _from_checkpoint(path: Path, networks: list[DeepLabRow]) -> ResolvedWeights:
    """Reads another library's file; the arguments choose among networks that share a file."""
    given = networks[0].name if len(networks) < len(DEEPLABS) else None
    try:
        start = open_checkpoint(path)
    except ValueError:
        if given is None:
            raise
        start = open_checkpoint(path, network=given)
    return start if start.row in networks else replace(start, row=networks[0])


def _has_preprocessing(saved: keras.Model) -> bool:
    return any(layer.name == "preprocessing" for layer in saved.layers)


def _saved_preprocessing(saved: keras.Model) -> str:
    layers = [layer for layer in saved.layers if layer.name == "preprocessing"]
    return normalization_mode(layers[0]) if layers else "tf"


def _saved_padding(saved: keras.Model) -> str:
    """Returns the padding of strided convolutions; symmetric padding has layers of its own."""
    strided = [
        layer
        for layer in all_layers(saved)
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
        and max(layer.strides) > 1
        and max(layer.kernel_size) > 1
    ]
    same = bool(strided) and all(layer.padding == "same" for layer in strided)
    return "tensorflow" if same else "symmetric"


def _saved_scales(saved: keras.Model) -> tuple[float, ...]:
    rescaled = [layer.scale for layer in saved.layers if isinstance(layer, RescaleBilinear)]
    names = {layer.name for layer in saved.layers}
    return (*rescaled, *((1.0,) if scores_name(1.0) in names else ()))


def _saved_grid(saved: keras.Model) -> str:
    return next((x.grid for x in saved.layers if isinstance(x, RescaleBilinear)), "size")
