"""Keras callbacks of a training run."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_deeplab._files import write_atomically
from keras_deeplab._validation import listed
from keras_deeplab.training.checkpoint import save_checkpoint
from keras_deeplab.visualize import training_curves


class RunProgress(keras.callbacks.Callback):
    """Prints what takes long before the first step ends, and the time that the run needs."""

    def __init__(self, *, start: int) -> None:
        super().__init__()
        self.start = start

    def on_train_begin(self, logs: Any = None) -> None:
        self._begin = time.monotonic()
        self._print("Compiling the first training step, which takes 10 to 60 seconds on a CPU ...")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        done, epochs = epoch - self.start, self.params["epochs"]
        if not done:
            return
        seconds = time.monotonic() - self._begin
        if done == 1:
            self._first = seconds
        # The first epoch includes compiling: it counts only where there is no other.
        each = seconds if done == 1 else (seconds - self._first) / (done - 1)
        self._print(
            f"{epoch} of {epochs} epochs done; {duration_text(seconds)} so far, "
            f"{'less than' if done == 1 else 'about'} {duration_text(each * (epochs - epoch))} left"
        )

    def _print(self, text: str) -> None:
        if self.params.get("verbose"):
            print(text, flush=True)


def duration_text(seconds: float) -> str:
    """Returns a duration as text, such as "1 h 05 min".

    Example:

    >>> duration_text(3900), duration_text(100), duration_text(12)
    ('1 h 05 min', '2 min', '12 s')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


class StopOnNaN(keras.callbacks.Callback):
    """Stops with a helpful error message as soon as the loss is not finite."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss must stay finite. Received: {loss} at batch {batch + 1} of an epoch. "
                f"Lower the learning rate, add warm-up steps, or check the labels with "
                f"'keras-deeplab check-data'. The last checkpoint holds the epoch before."
            )


class EpochLog(keras.callbacks.Callback):
    """Appends a line per epoch to a CSV file, after its first `start`; draws "curves.png" too."""

    def __init__(self, path: Path, *, start: int) -> None:
        super().__init__()
        self.path = path
        self._rows = [row | {"epoch": int(row["epoch"])} for row in read_log(path)[:start]]

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
        with write_atomically(self.path.with_name("curves.png")) as partial:
            partial.write_bytes(training_curves(self._rows))


def read_log(path: Path) -> list[dict[str, Any]]:
    """Returns the epochs of a CSV log, in order; empty if the file does not exist.

    Raises:
        ValueError: If it is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            return [
                {"epoch": float(row["epoch"])}
                | {key: float(value) for key, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f"The log of a run must be a CSV file of numbers with the column 'epoch'. Received: "
            f"{str(path)!r} ({error!r}). Delete it: the run resumes without its earlier lines."
        ) from error


class BestCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint after each epoch, and the network if it is the best so far.

    The best has the largest `monitor` in the log, or is the last one without a `monitor`. `best` is
    the best value so far, with its epoch. Training stops after `patience` epochs without a better
    one. During validation and for `pictures`, the network has the averaged weights.
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

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._context = averaged_weights(self.model)
        self._context.__enter__()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._context.__exit__(None, None, None)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        finished = epoch + 1
        self._check_finite(finished, logs or {})
        value = math.nan if self.monitor is None else (logs or {}).get(self.monitor, -math.inf)
        better = self.monitor is None or value > self.best[0]
        if better:
            self.best = (float(value), finished)
        # All processes assign weights; only the first one writes files.
        with averaged_weights(self.model):
            if self.pictures is not None:
                self.pictures(finished)
            if better and is_chief():
                save_network(self.network, self.folder / "best.keras")
        if is_chief():
            run = {"best": self.best}
            save_checkpoint(self.folder / "checkpoints", self.model, epoch=finished, run=run)
        if self.patience and finished - self.best[1] >= self.patience:
            self.model.stop_training = True

    def _check_finite(self, epoch: int, logs: dict[str, Any]) -> None:
        """Raises `FloatingPointError` before a network that has diverged is saved."""
        broken = [name for name in ("loss", "val_loss") if not math.isfinite(logs.get(name, 0))]
        broken += [
            variable.path
            for variable in self.model.variables
            if keras.backend.is_float_dtype(variable.dtype)
            and not np.isfinite(keras.ops.convert_to_numpy(variable.value)).all()
        ]
        if broken:
            raise FloatingPointError(
                f"Losses and weights must stay finite. Received: NaN or infinity in "
                f"{listed(broken, 3)} after epoch {epoch}. The network of this epoch was not "
                f"saved. Lower the learning rate, or add warm-up steps."
            )


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Temporarily assigns the optimizer's moving averages of the weights, if any, to a model.

    It restores the weights exactly, unlike Keras's `SwapEMAWeights`, which swaps by adding and
    subtracting.
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
    """Saves a network; the file gets its final name when it is complete."""
    with write_atomically(path) as partial:
        network.save(partial)


def processes() -> tuple[int, int]:
    """Returns the index of this process and the number of those that train together."""
    if keras.backend.backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def is_chief() -> bool:
    """Returns whether this process writes the files of the run: the first process does."""
    return processes()[0] == 0
