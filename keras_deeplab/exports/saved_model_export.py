"""SavedModels, which TensorFlow loads without this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def write_saved_model(
    path: Path,
    network: keras.Model,
    serve: Callable[[tf.Tensor], tf.Tensor],
    spec: tf.TensorSpec,
    *,
    jpeg: Callable[[tf.Tensor], dict[str, tf.Tensor]] | None = None,
) -> dict[str, int]:
    """Writes a SavedModel with the endpoint "serve", also as the default signature.

    Args:
        path: New folder.
        network: The network whose weights `serve` uses.
        serve: Function of images.
        spec: Shape and type of its images.
        jpeg: Function of JPEG files, for a signature "jpeg".

    Returns:
        Number of TensorFlow operators by name.
    """
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", serve, input_signature=[spec])
    if jpeg is not None:
        files = tf.TensorSpec((spec.shape[0],), tf.string, name="jpeg")
        archive.add_endpoint("jpeg", jpeg, input_signature=[files])
    archive.write_out(str(path), verbose=False)
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    return dict(Counter(node.op for function in functions for node in function.node_def))
