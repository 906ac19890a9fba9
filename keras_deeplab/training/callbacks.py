"""Callbacks of a training run."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from keras_deeplab._files import write_atomically
from keras_deeplab.training.checkpoint import save_checkpoint


class AnnounceFirstStep(keras.callbacks.Callback):
    """Says what happens before the first step ends: seconds without any other output."""

    def on_train_begin(self, logs: Any = None) -> None:
        if self.params.get("verbose"):
            print("Tracing the first training step: a few seconds.", flush=True)


class StopOnNaN(keras.callbacks.Callback):
    """Stops with an error that says what to do as soon as the loss is not a number."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss must stay finite. Received: {loss} at batch {batch + 1} of an epoch. "
                f"Lower the learning rate, add warm-up steps, or check the labels with "
                f"'keras-deeplab check-data'. The last checkpoint holds the epoch before."
            )


class EpochLog(keras.callbacks.Callback):
    """Appends one line per epoch to a CSV file.

    Args:
        path: The file. What it holds of later epochs than the run starts from is dropped.
        start: Number of finished epochs.
    """

    def __init__(self, path: Path, *, start: int) -> None:
        super().__init__()
        self.path = path
        rows = read_log(path)[:start]
        self._rows = rows

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        values = {key: float(value) for key, value in sorted((logs or {}).items())}
        self._rows.append({"epoch": epoch + 1, "learning_rate": rate, **values})
        if not is_chief():
            return
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        with write_atomically(self.path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self._rows)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Returns the epochs of a CSV log, in order; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


class BestCheckpoint(keras.callbacks.Callback):
    """At the end of each epoch saves a checkpoint, and the network if it is the best so far.

    Args:
        network: The network to save; its weights are those of the model that is trained.
        folder: Of the run.
        monitor: Name of the logged value to maximise; None: the last network is the best.
        best: Value of the best network so far, and its epoch.
        patience: Epochs without a better network after which training stops; 0: never.
        pictures: Called with the epoch's number while the averaged weights are in the network.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: Path,
        *,
        monitor: str | None,
        best: tuple[float, int],
        patience: int = 0,
        pictures: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.folder = folder
        self.monitor = monitor
        self.best = best
        self.patience = patience
        self.pictures = pictures

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        finished = epoch + 1
        value = math.nan if self.monitor is None else (logs or {}).get(self.monitor, -math.inf)
        better = self.monitor is None or value > self.best[0]
        if better:
            self.best = (float(value), finished)
        # Every process takes part in assigning weights; the first one writes.
        with averaged_weights(self.model):
            if better and is_chief():
                save_network(self.network, self.folder / "best.keras")
            if self.pictures is not None:
                self.pictures(finished)
        if is_chief():
            save_checkpoint(
                self.folder / "checkpoints", self.model, epoch=finished, run={"best": self.best}
            )
        if self.patience and finished - self.best[1] >= self.patience:
            self.model.stop_training = True


class EvaluateWithEMA(keras.callbacks.Callback):
    """Puts the moving averages of weights into the model while it is validated."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._context = averaged_weights(self.model)
        self._context.__enter__()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._context.__exit__(None, None, None)


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the optimizer's moving averages of weights into a model, if it keeps any, for a while.

    Unlike Keras' `SwapEMAWeights`, which swaps by adding and subtracting, it gives back the very
    weights it took.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    variables = optimizer._trainable_variables
    kept = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for variable, average in zip(variables, optimizer._model_variables_moving_average, strict=True):
        variable.assign(keras.ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def save_network(network: keras.Model, path: Path) -> None:
    """Saves a network; the file appears under its name when it is complete."""
    with write_atomically(path) as partial:
        network.save(partial)


def is_chief() -> bool:
    """Returns whether this process writes the run's files: of several processes the first does."""
    if keras.backend.backend() != "jax":
        return True
    import jax

    return bool(jax.process_index() == 0)


def processes() -> int:
    """Returns the number of processes that train together."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return int(jax.process_count())
