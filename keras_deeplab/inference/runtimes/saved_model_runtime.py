"""TensorFlow SavedModels, without operators that could touch files, the network or Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab._validation import listed
from keras_deeplab.inference.runtimes.keras_runtime import device_batch_size
from keras_deeplab.inference.sidecar import Opened, read_sidecar, scores_or_labels

_SIGNATURE = "serving_default"
# TensorFlow marks most operators that have an effect outside the graph as stateful. These stateful
# ones are harmless: variables, control flow, random numbers, tables in memory.
_HARMLESS = re.compile(
    r"Assert|Case|CheckNumerics(V2)?|Empty|GuaranteeConst|If|While|StatefulPartitionedCall|"
    r"(Read|Assign(Add|Sub)?)VariableOp|Var(Handle|IsInitialized)Op|Variable(V2|Shape)?|"
    r"DisableCopyOnRead|DestroyResourceOp|Resource(Gather|GatherNd|StridedSliceAssign)|"
    r"Stack\w*|TensorArray\w*|CudnnRNN\w*|XlaCallModule|StatelessRandomGetAlg|"
    r"Random(Standard|Uniform|Shuffle)\w*|TruncatedNormal|Multinomial|"
    r"Stateful(Standard|Truncated|Uniform)\w*|"
    r"(Anonymous|Mutable)?HashTable(V2)?|LookupTable(Find|Size|Import|Insert)V2|InitializeTableV2"
)
# Operators that read files or run code although they are not marked.
_HARMFUL = re.compile(
    r".*(Dataset|File|PyFunc|Debug|Reader|Restore|Save|Checkpoint|Summary|Remote|TRTEngine).*|"
    r"ImmutableConst"
)
# Stores and restores the variables of a network of TensorFlow 1.
_OF_SAVERS = ("SaveV2", "MergeV2Checkpoints", "RestoreV2", "ShardedFilename")


def open_folder(path: Path) -> Opened:
    """Opens a SavedModel by its signature "serving_default".

    Raises:
        ValueError: If it is not a SavedModel, has operators that could touch files or Python, or
            does not have one input and one output.
    """
    import tensorflow as tf

    if not (path / "saved_model.pb").is_file():
        raise ValueError(
            f"The folder must be a SavedModel, with a file saved_model.pb. Received: {str(path)!r}."
        )
    check_saved_model(path)
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:
        # Damaged files raise exceptions of the protobuf reader, the graph or the file system.
        raise ValueError(
            f"The SavedModel must be complete. Received: {str(path)!r} ({error})."
        ) from error
    signatures = dict(module.signatures)
    if _SIGNATURE not in signatures:
        raise ValueError(
            f"The SavedModel must have the signature {_SIGNATURE!r}. Received: {str(path)!r} with "
            f"{sorted(signatures) or 'none'}."
        )
    function = signatures[_SIGNATURE]
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"The SavedModel must have one input and one output. Received: {str(path)!r} with "
            f"inputs {sorted(inputs)} and outputs {sorted(outputs)}."
        )
    ((key, spec),) = inputs.items()

    def run(images: np.ndarray) -> np.ndarray:
        # The function uses variables of the module, which must stay alive.
        _ = module
        result: dict[str, Any] = function(**{key: tf.cast(images, spec.dtype)})
        return scores_or_labels(next(iter(result.values())).numpy())

    shape = tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
    return Opened(run, shape, read_sidecar(path), str(path), device_batch_size())


def check_saved_model(folder: Path) -> None:
    """Raises `ValueError` if a SavedModel has an operator with effects outside the network.

    All functions that loading or calling the network can run are searched, without loading it.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"The SavedModel must be complete. Received: {str(folder)!r} ({error})."
        ) from error
    graph = tf.Graph()
    harmful = sorted(
        {name for name in _operators(saved) if not _is_harmless(graph, name)} - {"NoOp"}
    )
    if harmful:
        raise ValueError(
            f"The operators of a SavedModel must only compute: no files, datasets or Python, and "
            f"none that TensorFlow does not know. Received: {str(folder)!r} with "
            f"{listed(harmful)}. Nothing of it was run. Export the network without them."
        )


def _is_harmless(graph: Any, name: str) -> bool:
    if _HARMLESS.fullmatch(name):
        return True
    try:
        definition = graph.op_def_for_type(name)
    except Exception:  # TensorFlow's exception for an unknown operator
        return False
    return not definition.is_stateful and not _HARMFUL.fullmatch(name)


def _operators(saved: Any) -> set[str]:
    """Returns the names of the operators that loading or calling the network can run."""
    found: set[str] = set()
    # TensorFlow loads a single graph with objects by its functions, others by their nodes.
    by_functions = len(saved.meta_graphs) == 1 and saved.meta_graphs[0].HasField("object_graph_def")
    for meta in saved.meta_graphs:
        library = meta.graph_def.library
        bodies = {one.signature.name: one.node_def for one in library.function}
        calls = {name: list(_called(nodes)) for name, nodes in bodies.items()}
        for one in library.gradient:
            calls.setdefault(one.function_name, []).append(one.gradient_func)
        nodes = [] if by_functions else list(_executed_nodes(meta))
        start = meta.object_graph_def.concrete_functions if by_functions else _called(nodes)
        for name in _reached(start, calls) & bodies.keys():
            nodes += bodies[name]
        found |= {node.op for node in nodes} - bodies.keys()
    return found


def _reached(start: Iterable[str], links: Mapping[str, Iterable[str]]) -> set[str]:
    """Returns the names that links lead to, with those at the start."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += links.get(name, ())
    return found


def _called(nodes: Iterable[Any]) -> Iterator[str]:
    """Yields the operators of nodes, which may be functions, and the functions they name."""
    for node in nodes:
        yield node.op
        for value in node.attr.values():
            if value.HasField("func"):
                yield value.func.name
            yield from (one.name for one in value.list.func)


def _executed_nodes(meta: Any) -> Iterator[Any]:
    """Yields the nodes of a graph of TensorFlow 1, without those that store its variables."""
    nodes = {node.name: node for node in meta.graph_def.node}
    inputs = {name: {_node_name(x) for x in node.input} for name, node in nodes.items()}
    storing = _reached([_node_name(meta.saver_def.save_tensor_name)], inputs)
    used = set().union(*(inputs[name] for name in nodes.keys() - storing))
    for name, node in nodes.items():
        stores = name in storing and name not in used and node.op in _OF_SAVERS
        if not stores and node.op not in ("RestoreV2", "ShardedFilename"):
            yield node


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
