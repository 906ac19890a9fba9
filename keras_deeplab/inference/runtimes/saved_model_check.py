"""Refuses SavedModels whose operators could touch files, the network or Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_deeplab._validation import listed

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


def check_saved_model(folder: Path) -> None:
    """Checks the operators of a SavedModel without loading it.

    All functions that loading or calling the network can run are searched.

    Args:
        folder: Folder of the SavedModel.

    Raises:
        ValueError: If `saved_model.pb` is not readable, or has an operator that is unknown or has
            effects outside the network.
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
