"""Training: a model, data and a recipe become a run in a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_deeplab._validation import check_int
from keras_deeplab.data.pipeline import training_batches, validation_batches
from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.inference import open_segmenter
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.models.multi_scale import training_model
from keras_deeplab.presets.recipes import RecipeChanges, RecipeRow
from keras_deeplab.training.callbacks import (
    AnnounceFirstStep,
    BestCheckpoint,
    EpochLog,
    EvaluateWithEMA,
    StopOnNaN,
    is_chief,
    processes,
    read_log,
    save_network,
)
from keras_deeplab.training.checkpoint import checkpoints, restore_checkpoint
from keras_deeplab.training.pictures import PredictionSheet
from keras_deeplab.training.preconditions import check_classes, check_files, open_folder
from keras_deeplab.training.recipe import build_optimizer, resolve_recipe

# Fields of a recipe that `training_batches` takes.
_OF_BATCHES = ("batch_size", "crop_size", "scales", "scale_step", "flip", "photometric")
_logger = logging.getLogger("keras_deeplab")


@dataclass(frozen=True)
class Training:
    """Result of `train`.

    Attributes:
        folder: The run's folder.
        best: File of the best network: the one with the highest mean IoU of the validation data,
            or without such data the last.
        best_epoch: Its epoch, from 1.
        best_mean_iou: Its mean IoU of the validation data, 0 to 1; NaN without such data.
        log: What was logged, a dict per epoch.
    """

    folder: Path
    best: Path
    best_epoch: int
    best_mean_iou: float
    log: list[dict[str, float]]


def train(
    model: keras.Model,
    data: SegmentationData,
    folder: str | Path,
    *,
    recipe: str | RecipeRow = "fine_tune",
    validation_data: SegmentationData | None = None,
    size: int | tuple[int, int] | None = None,
    validate_every: int = 1,
    class_weights: Sequence[float] | None = None,
    loss: keras.losses.Loss | None = None,
    accumulate: int = 1,
    patience: int = 0,
    pictures: int = 4,
    seed: int = 0,
    check: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: Any = "auto",
    **changes: Unpack[RecipeChanges],
) -> Training:
    """Trains a model by a recipe, with `model.fit`.

    The folder of the run gets "log.csv", "pictures" of validation images each epoch, "best.keras",
    at the end "last.keras", and "tensorboard" where the package of that name is installed. If it
    already holds a run of the same settings, that one is continued from its last finished epoch,
    as if it had never stopped.

    Args:
        model: A model of `DeepLab`.
        data: What to train on.
        folder: Where the run is kept.
        recipe: Name of a row of `keras_deeplab.presets.recipes`, or such a row.
        validation_data: What to measure each epoch; the network that does best on it is kept.
        size: Side of the square, or (height, width), that images are scaled to fit into, pixels:
            before augmentation, and to be measured. The model keeps it, through saving too, as
            the size that `segment` and `evaluate` take. Left out: the one that it has.
        validate_every: Epochs from one measurement to the next; the last epoch is measured too.
        class_weights: Factors of the loss by class id.
        loss: From integer labels and logits. Left out: `losses.CrossEntropy` with the data's
            `ignore_class` and ``class_weights``.
        accumulate: Batches whose gradients are averaged into one step.
        patience: Epochs without a better network after which to stop; 0: train to the end.
        pictures: Number of validation images to draw each epoch; several processes draw none.
        seed: Of order and augmentation.
        check: Whether to look for errors in files first, as `keras-deeplab check-data --fast`.
        callbacks: More callbacks of Keras.
        verbose: 0 prints nothing, 1 a bar and 2 a line per epoch, as in `keras.Model.fit`.
        **changes: Fields of the recipe that differ, such as ``epochs=10``, ``batch_size=4``,
            ``crop_size=(257, 257)``, ``learning_rate=1e-4``.

    Returns:
        The files and figures of the run. The model has the weights of the last epoch, averaged
        where the recipe averages them.

    Raises:
        ValueError: If an argument is unknown, data and model differ in their number of classes,
            files hold errors, or the folder holds another run.
        FloatingPointError: If the loss is no longer finite.

    Example:

    >>> data = read_folder("photos", "train")  # doctest: +SKIP
    >>> model = DeepLab(weights="voc", classes=data.class_names)  # doctest: +SKIP
    >>> train(model, data, "runs/first", epochs=10)  # doctest: +SKIP

    Reference:
        The recipes name theirs.
    """
    row = resolve_recipe(recipe, dict(changes))
    for name, value in {"accumulate": accumulate, "validate_every": validate_every}.items():
        check_int(name, value, minimum=1)
    check_int("patience", patience, minimum=0)
    check_classes(model, data, validation_data)
    folder = Path(folder).expanduser()
    size = _size(size, model, data)
    settings = {"size": size, "accumulate": accumulate, "seed": seed}
    open_folder(folder, settings | _described(model, data, row, class_weights))
    if check and not checkpoints(folder / "checkpoints"):
        check_files({"training": data, "validation": validation_data})
    steps_per_epoch = max(1, len(data) // row.batch_size)
    steps = row.steps * accumulate or row.epochs * steps_per_epoch
    epochs = math.ceil(steps / steps_per_epoch)
    _keep_size(model, size)
    loss = loss or CrossEntropy(ignore_class=data.ignore_class, class_weights=class_weights)
    with _scope(model):
        optimizer = build_optimizer(row, steps, accumulate)
        trained, monitor = _compiled(model, data, row, loss, optimizer)
        start, best = _resume(folder, trained)
    if start:
        _logger.warning("%s resumes after epoch %d of %d.", folder, start, epochs)
    keeper = BestCheckpoint(
        model,
        folder,
        monitor=monitor if validation_data else None,
        best=best,
        patience=patience,
        pictures=_sheet(model, validation_data or data, folder, pictures, size),
    )
    finished = start >= epochs or (patience > 0 and start - best[1] >= patience)
    if not finished:
        batches = training_batches(
            data,
            size=size,
            seed=seed,
            start=start * steps_per_epoch,
            **{name: getattr(row, name) for name in _OF_BATCHES},
        )
        measured = validation_data and validation_batches(
            validation_data, batch_size=row.batch_size, size=size
        )
        trained.fit(
            _for_outputs(batches, trained),
            initial_epoch=start,
            epochs=epochs,
            shuffle=False,
            steps_per_epoch=steps_per_epoch,
            validation_data=measured and _for_outputs(measured, trained),
            validation_freq=sorted({*range(validate_every, epochs, validate_every), epochs}),
            callbacks=[*_own_callbacks(folder, row, start), keeper, *callbacks],
            verbose=verbose,
        )
    elif row.ema:
        trained.optimizer.finalize_variable_values(trained.trainable_variables)
    # A run may have been killed between its last checkpoint and this.
    if is_chief() and not (finished and (folder / "last.keras").exists()):
        save_network(model, folder / "last.keras")
    mean_iou, epoch = keeper.best
    return Training(folder, folder / "best.keras", epoch, mean_iou, read_log(folder / "log.csv"))


def _sheet(
    model: keras.Model, data: SegmentationData, folder: Path, number: int, size: tuple[int, int]
) -> PredictionSheet:
    number = number if processes() == 1 else 0  # one image cannot be split among processes
    return PredictionSheet(model, data, folder / "pictures", number=number, size=size)


def _described(
    model: keras.Model,
    data: SegmentationData,
    row: RecipeRow,
    class_weights: Sequence[float] | None,
) -> dict[str, Any]:
    """Returns what tells a run's network, data, recipe and loss from another's."""
    return {
        "recipe": dataclasses.asdict(row),
        "model": model.name,
        "classes": list(data.class_names),
        "images": len(data),
        "class_weights": None if class_weights is None else list(class_weights),
    }


def _compiled(
    model: keras.Model,
    data: SegmentationData,
    row: RecipeRow,
    loss: keras.losses.Loss,
    optimizer: keras.optimizers.Optimizer,
) -> tuple[keras.Model, str]:
    """Returns a compiled model of the same layers, and the name of mean IoU in its logs."""
    metric = MeanIoU(len(data.class_names), ignore_class=data.ignore_class)
    trained = _with_losses(model, row.targets)
    output = model.output_names[-1]
    inner = [name for name in trained.output_names if name != output]
    trained.compile(
        optimizer=optimizer,
        loss=dict.fromkeys(inner or [output], loss),
        metrics={output: [metric]},
        # XLA trains several times slower on a CPU.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    # Variables that a step made in its first trace would have TensorFlow trace it again.
    trained.optimizer.build(trained.trainable_variables)
    # Keras puts the output's name before the metric's where there are several.
    return trained, f"val_{output}_mean_iou" if inner else "val_mean_iou"


def _own_callbacks(folder: Path, row: RecipeRow, start: int) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that come before the one that saves networks, in their order."""
    found: list[keras.callbacks.Callback] = [AnnounceFirstStep(), StopOnNaN()]
    if row.ema:
        found.append(EvaluateWithEMA())
    found.append(EpochLog(folder / "log.csv", start=start))
    if is_chief() and importlib.util.find_spec("tensorboard"):
        found.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    return found


def _size(
    asked: int | tuple[int, int] | None, model: keras.Model, data: SegmentationData
) -> tuple[int, int]:
    if asked is not None:
        height, width = (asked, asked) if isinstance(asked, int) else asked
        check_int("size", min(height, width), minimum=1)
        return height, width
    height, width = open_segmenter(model, class_names=data.class_names).inference_size
    fixed = model.input_shape[1:3]
    return fixed[0] or height, fixed[1] or width


def _keep_size(model: keras.Model, size: tuple[int, int]) -> None:
    """Has a model carry the size that photos are fitted into for it."""
    for layer in model.layers:
        if isinstance(layer, SegmentationOutput):
            layer.inference_size = size


def _resume(folder: Path, model: keras.Model) -> tuple[int, tuple[float, int]]:
    """Restores the last checkpoint; returns the finished epochs, and the best value and epoch."""
    found = checkpoints(folder / "checkpoints")
    if not found:
        return 0, (-math.inf, 0)
    start, run = restore_checkpoint(found[-1], model)
    value, epoch = run["best"]
    return start, (float(value), int(epoch))


def _with_losses(model: keras.Model, targets: str) -> keras.Model:
    """Returns a model of the same layers with the outputs that the losses look at, by name."""
    if targets == "scores":
        return training_model(model)
    return keras.Model(model.input, {model.output_names[-1]: model.output})


def _for_outputs(batches: Any, model: keras.Model) -> Any:
    """Gives each output of a model the labels."""
    return batches.map(lambda images, labels: (images, dict.fromkeys(model.output_names, labels)))


def _scope(model: keras.Model) -> Any:
    """The scope of the `tf.distribute` strategy that the model was built under, if any."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()
