"""Reads TF-Slim's DeepLab checkpoints, from the archives of the TensorFlow model zoo."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from keras_deeplab._files import unpacked_limit
from keras_deeplab.weights.readers.naming import Rules, layer_of

# Layers of the variable scopes.
SCOPES: Rules = (
    (r"MobilenetV2/Conv", "stem"),
    (r"MobilenetV2/expanded_conv/(expand|depthwise|project)", r"block_0_\1"),
    (r"MobilenetV2/expanded_conv_(\d+)/(expand|depthwise|project)", r"block_\1_\2"),
    (r"xception_\d\d/((?:entry|middle|exit)_flow)/(\w+)", r"\1_\2"),
    (
        r"xception_\d\d/((?:entry|middle|exit)_flow)/(\w+)/(\w+)/xception_module/(\w+)",
        r"\1_\2_\3_\4",
    ),
    (r"image_pooling", "aspp_image_pooling"),
    (r"concat_projection", "aspp_projection"),
    (r"aspp(\d(?:_(?:depth|point)wise)?)", r"aspp_\1"),
    (r"decoder/feature_projection0", "decoder_low_level"),
    (r"decoder/decoder_conv(\d(?:_(?:depth|point)wise)?)", r"decoder_\1"),
    (r"logits/semantic", "classifier"),
)
_VARIABLES = {
    "weights": "/kernel",
    "depthwise_weights": "/kernel",
    "biases": "/bias",
    **{
        f"BatchNorm/{name}": f"_bn/{name}"
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    },
}
# Variables of the training only: optimiser slots, moving averages, the step.
_LEFT_BEHIND = re.compile(
    r"(.*/(Momentum|ExponentialMovingAverage|Adam(_1)?|RMSProp(_1)?)|.*_step)"
)
_CHECKPOINT_FILE = re.compile(r".*model\.ckpt[^/]*\.(index|data-\d{5}-of-\d{5})")


def convert_tf_slim(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a TF-Slim DeepLab checkpoint.

    Every variable is checked: it is a weight of one layer, or a variable of the training only.

    Args:
        path: An archive of the zoo (`NAME.tar.gz` with `model.ckpt-*` inside), or the `.index`
            file of an unpacked checkpoint.

    Returns:
        float32 arrays by "layer/variable".

    Raises:
        ValueError: If the archive or the checkpoint is damaged, or a variable belongs to no layer.
        FileNotFoundError: If the file does not exist.

    Reference:
        tensorflow/models, research/deeplab/g3doc/model_zoo.md.
    """
    path = Path(path)
    if path.suffix == ".index":
        return _read_checkpoint(path.with_suffix(""), source=path)
    with tempfile.TemporaryDirectory() as folder:
        return _read_checkpoint(_unpack_checkpoint(path, Path(folder)), source=path)


def _bounded(archive: tarfile.TarFile, limit: int) -> Iterator[tarfile.TarInfo]:
    """Yields the members of an archive up to a number of unpacked bytes."""
    for member in archive:
        if member.offset_data + member.size > limit:
            raise ValueError("it unpacks to more than a hundred times its size")
        yield member


def _unpack_checkpoint(path: Path, folder: Path) -> Path:
    """Writes the archive's checkpoint into ``folder`` and returns its prefix."""
    try:
        with tarfile.open(path) as archive:
            for member in _bounded(archive, unpacked_limit(path.stat().st_size)):
                if not member.isfile() or not _CHECKPOINT_FILE.fullmatch(member.name):
                    continue
                # Only the last part of a name is used, so no file is written outside the folder.
                content = archive.extractfile(member)
                (folder / PurePosixPath(member.name).name).write_bytes(content.read())  # type: ignore[union-attr]
    except FileNotFoundError:
        raise
    except Exception as error:  # tarfile and the decompressors raise different exceptions
        raise ValueError(
            f"A TF-Slim checkpoint must be a valid .tar.gz archive or an .index file. "
            f"Received: {path} ({error}). Fetch it again."
        ) from error
    indices = sorted(folder.glob("*.index"))
    if len(indices) != 1:
        raise ValueError(
            f"The archive must hold one checkpoint, model.ckpt-*.index with its data. Received: "
            f"{path} with {[index.name for index in indices]}. Archives with a frozen graph only "
            f"can't be read."
        )
    return indices[0].with_suffix("")


def _read_checkpoint(prefix: Path, *, source: Path) -> dict[str, np.ndarray]:
    import tensorflow as tf

    if not prefix.with_suffix(f"{prefix.suffix}.index").is_file():
        raise FileNotFoundError(f"The checkpoint must exist. Received: {source}.")
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        arrays = {
            _key(name, source): np.asarray(reader.get_tensor(name), "float32")
            for name in sorted(shapes)
            if not _LEFT_BEHIND.fullmatch(name)
        }
    except tf.errors.OpError as error:
        raise ValueError(
            f"The checkpoint must be complete. Received: {source} ({error.message}). Fetch "
            f"it again."
        ) from error
    if not arrays:
        raise ValueError(f"The checkpoint must hold variables. Received: {source} with none.")
    return arrays


def _key(variable: str, source: Path) -> str:
    for ending, key in _VARIABLES.items():
        scope, found, rest = variable.rpartition(f"/{ending}")
        if found and not rest and (layer := layer_of(scope, SCOPES)):
            return f"{layer}{key}"
    raise ValueError(
        f"Every variable must belong to one layer of a DeepLab network with a MobileNetV2 or "
        f"Xception backbone. Received: {variable!r} in {source}."
    )
