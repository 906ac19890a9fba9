"""Segments photos and videos on a Ray cluster, with one network per actor."""

from __future__ import annotations

import logging
import math
import os
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_deeplab._startup import hold_stderr
from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference.bulk.bulk_job import BulkJob, Outcome

# Photos per task, which are computed again when an actor is lost. Between tasks, a network waits.
_MOST_PHOTOS = 64
_MOST_PHOTOS_ON_GPU = 256
# The photos stay out of Ray's memory, which holds paths and records only.
_OBJECT_STORE_BYTES = 200_000_000


@dataclass(frozen=True)
class RayActors:
    """The number of actors, between (least, most), and the CPUs and GPUs of each.

    Each has one network, with as many threads as CPUs if it has no GPU; 0.5 puts two on a GPU. By
    default, there is one per share of the GPUs, or without GPUs of the CPUs, that the cluster has
    at the start, and each gets a GPU if there are any.
    """

    number: tuple[int, int] | None = None
    cpus: float = 1.0
    gpus: float | None = None


class RayNetworkError(ValueError):
    """The network could not be opened by an actor."""


def segment_on_ray(
    open_network: Callable[[], Any],
    items: Sequence[Item],
    job: BulkJob,
    *,
    actors: RayActors | None = None,
) -> Iterator[tuple[Item, Outcome]]:
    """Yields each photo and video as it is finished, with the record of its result, or the error.

    The paths pass through Ray Data; the actors read the photos and write the results, so that
    every machine must see the same files. A task whose actor or machine is lost runs again, and
    writes the same files again. It connects to the cluster of the environment variable
    RAY_ADDRESS, or of the machine, and starts a local one if there is none. Each actor calls
    `open_network` once.

    Raises:
        ModuleNotFoundError: If Ray is not installed.
        ValueError: If an actor cannot open the network, or the cluster cannot give it resources.
    """
    ray = import_ray()
    actors = actors or RayActors()
    with _cluster(ray):
        number, gpus = _resolved(ray.cluster_resources(), actors)
        least, most = (min(n, len(items)) for n in number)
        limit = _MOST_PHOTOS_ON_GPU if gpus else _MOST_PHOTOS
        size = max(1, min(limit, len(items) // (8 * most)))
        rows = [{"number": i, "source": x.identity, "name": x.name} for i, x in enumerate(items)]
        results = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // size)).map_batches(
            _Actor,
            fn_constructor_args=(open_network, job, None if gpus else actors.cpus),
            batch_size=size,
            compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
            num_cpus=actors.cpus,
            num_gpus=gpus or None,
        )
        try:
            for row in results.iter_rows():
                outcome = pickle.loads(row["outcome"])
                if isinstance(outcome, RayNetworkError):
                    raise outcome
                yield items[row["number"]], outcome
        except ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise ValueError(
                f"The actors must work. Received: {type(error).__name__}: {last} Results that are "
                f"finished are kept: run the command again."
            ) from error


def import_ray() -> Any:
    """Returns Ray with Ray Data; raises `ModuleNotFoundError` if it is not installed."""
    # Ray reports on its use to its makers, and on its work to standard error, unless it is told
    # not to before it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ModuleNotFoundError(
            'A cluster needs Ray. Run: pip install "keras_deeplab[ray]"'
        ) from error
    return ray


class _Actor:
    """One network, which segments one batch of paths after the other."""

    def __init__(self, open_network: Callable[[], Any], job: BulkJob, cpus: float | None) -> None:
        # Read when TensorFlow starts, which `open_network` causes.
        if cpus:
            for kind in ("INTRA", "INTER"):
                os.environ.setdefault(f"TF_NUM_{kind}OP_THREADS", str(max(1, round(cpus))))
        else:
            # Several actors share a GPU.
            os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
            os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        self.job = job
        self.model: Any
        try:
            self.model = open_network()
        except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            self.model = RayNetworkError(str(error))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        numbers = batch["number"].tolist()
        outcomes: list[Outcome] = [self.model] * len(numbers)
        if not isinstance(self.model, RayNetworkError):
            items = map(Item, batch["source"].tolist(), batch["name"].tolist())
            outcomes = [outcome for _, outcome in self.job.outcomes(self.model, list(items))]
        pickled = np.empty(len(numbers), object)
        pickled[:] = [pickle.dumps(outcome) for outcome in outcomes]
        return {"number": np.asarray(numbers), "outcome": pickled}


@contextmanager
def _cluster(ray: Any) -> Iterator[None]:
    """Connects to a cluster, or starts a local one, and leaves it at the end."""
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    with hold_stderr(everything=True, foreseen=(ConnectionError, ValueError)):
        _check_address(os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            memory = {"object_store_memory": _OBJECT_STORE_BYTES}
            ray.init(address="local", include_dashboard=False, **memory, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raises `ValueError` at once where Ray would try for minutes to connect."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ValueError(
            f"RAY_ADDRESS must be the address of a cluster. Received: {address}, where none "
            f"answers ({error.strerror or error})."
        ) from error


def _resolved(resources: dict[str, float], actors: RayActors) -> tuple[tuple[int, int], float]:
    """Returns the (least, most) actors and the GPUs for each."""
    cpus, all_gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    gpus = min(1.0, all_gpus) if actors.gpus is None else actors.gpus
    if actors.number is not None:
        return actors.number, gpus
    fitting = int(min(cpus // actors.cpus, all_gpus // gpus if gpus else math.inf))
    if fitting < 1:
        raise ValueError(
            f"The cluster must have the CPUs and GPUs of one actor. Received: {cpus:g} CPUs and "
            f"{all_gpus:g} GPUs, for actors of {actors.cpus:g} and {gpus:g}. Reserve less, or give "
            f"the number of actors if the cluster scales."
        )
    return (fitting, fitting), gpus
