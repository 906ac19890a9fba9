"""`train`: trains a model by a recipe, in the folder of a run."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_deeplab._validation import check_int, listed
from keras_deeplab.data.checks.label_check import check_sources
from keras_deeplab.data.pipeline import training_batches, validation_batches
from keras_deeplab.data.sources import SegmentationData, SegmentationFiles, named_failures
from keras_deeplab.layers.segmentation_output import find_output, takes_rgb
from keras_deeplab.presets.recipes import RecipeChanges, RecipeRow
from keras_deeplab.training.callbacks import (
    BestCheckpoint,
    EpochLog,
    RunProgress,
    StopOnNaN,
    is_chief,
    read_log,
    save_network,
)
from keras_deeplab.training.checkpoint import checkpoints, restore_checkpoint
from keras_deeplab.training.pictures import PredictionSheet
from keras_deeplab.training.recipe import (
    build_optimizer,
    compiled_model,
    for_outputs,
    strategy_scope,
)
from keras_deeplab.training.run_folder import check_run, network_settings, open_folder

# Recipe fields that are arguments of `training_batches`.
_OF_BATCHES = ("batch_size", "crop_size", "scales", "scale_step", "flip", "photometric")
_logger = logging.getLogger("keras_deeplab")


@dataclass(frozen=True)
class Training:
    """Result of `train`.

    Attributes:
        folder: Folder of the run.
        best: File of the network with the best validation mean IoU; without validation data, of
            the last network.
        best_epoch: Epoch of the best network, from 1.
        best_mean_iou: Its validation mean IoU, 0 to 1; NaN without validation data.
        log: Logged values, one dict per epoch.
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

    The folder of the run contains "log.csv" and "curves.png", "pictures" of validation images after
    each epoch, "best.keras", "last.keras" after the last epoch, and "tensorboard" if TensorBoard is
    installed. If the folder already contains a run with the same settings, training resumes after
    its last completed epoch and produces the same result as an uninterrupted run. With more
    epochs, training continues, with the learning rate of the longer schedule.

    Args:
        model: A model of `DeepLab`.
        data: Training data.
        folder: Folder of the run.
        recipe: Name of a recipe in `keras_deeplab.presets.recipes`, or a `RecipeRow`.
        validation_data: Validation data, to find the best model. Default: no validation.
        size: Side of a square, or (height, width), in pixels. Images are resized to fit it before
            augmentation and for validation. It is stored in the model as the size that `segment`
            and `evaluate` use. Default: the size stored in the model.
        validate_every: Number of epochs between validations; the last epoch is always validated.
        class_weights: Weights of the loss by label id. Default: equal weights.
        loss: Loss from integer labels and logits. Default: `losses.CrossEntropy` with the data's
            `ignore_class` and ``class_weights``.
        accumulate: Number of batches whose gradients are averaged for one step.
        patience: Epochs without a better model after which training stops; 0: never.
        pictures: Number of sample predictions saved per epoch; ignored with several processes.
        seed: Random seed of the image order and augmentation.
        check: Whether to check the files for errors first, like `keras-deeplab check-data --fast`.
        callbacks: Additional Keras callbacks.
        verbose: 0 for no output, 1 for a progress bar, 2 for one line per epoch; "auto": 1.
        **changes: Fields of the recipe to override, such as ``epochs=10``, ``batch_size=4``,
            ``crop_size=(257, 257)``, ``learning_rate=1e-4``.

    Returns:
        The files and results of the run. The model has the weights of the last epoch, averaged if
        the recipe says so.

    Raises:
        ValueError: If an argument is unknown, data and model differ in their number of classes,
            files have errors, or the folder contains a different run.
        FloatingPointError: If the loss becomes infinite or NaN.

    Example:

    >>> data = read_folder("photos", "train")  # doctest: +SKIP
    >>> model = DeepLab(weights="voc", classes=data.class_names)  # doctest: +SKIP
    >>> train(model, data, "runs/first", epochs=10)  # doctest: +SKIP

    Reference:
        See the recipes for their papers.
    """
    check_int("validate_every", validate_every, minimum=1)
    check_int("patience", patience, minimum=0)
    folder = Path(folder).expanduser()
    row, loss, settings = check_run(
        data,
        folder,
        recipe=recipe,
        validation_data=validation_data,
        size=size,
        class_weights=class_weights,
        loss=loss,
        accumulate=accumulate,
        seed=seed,
        **changes,
    )
    _check_classes(model, data, validation_data)
    settings = network_settings(model, data) | settings
    fitted = settings["size"]
    with open_folder(folder, settings), named_failures(data, validation_data):
        if check and not checkpoints(folder / "checkpoints"):
            _check_files(training=data, validation=validation_data)
        if output := find_output(model):
            output.inference_size = fitted
        steps_per_epoch = max(1, len(data) // row.batch_size)
        steps = row.steps * accumulate or row.epochs * steps_per_epoch
        epochs = math.ceil(steps / steps_per_epoch)
        with strategy_scope(model):
            optimizer = build_optimizer(row, steps, accumulate)
            trained, monitor = compiled_model(model, data, row, loss, optimizer)
            start, best = _resume(folder, epochs, trained)
        shown = validation_data or data
        sheet = PredictionSheet(model, shown, folder / "pictures", number=pictures, size=fitted)
        best_of = monitor if validation_data else None
        keeper = BestCheckpoint(
            model, folder, monitor=best_of, best=best, patience=patience, pictures=sheet
        )
        finished = start >= epochs or (patience > 0 and start - best[1] >= patience)
        if not finished:
            options = {name: getattr(row, name) for name in _OF_BATCHES}
            batches = training_batches(
                data, size=fitted, seed=seed, start=start * steps_per_epoch, **options
            )
            trained.fit(
                for_outputs(batches, trained),
                initial_epoch=start,
                epochs=epochs,
                shuffle=False,
                steps_per_epoch=steps_per_epoch,
                validation_data=_validation(validation_data, trained, row, fitted),
                validation_freq=sorted({*range(validate_every, epochs, validate_every), epochs}),
                callbacks=[*_own_callbacks(folder, start), keeper, *callbacks],
                verbose=verbose,
            )
        elif row.ema:
            trained.optimizer.finalize_variable_values(trained.trainable_variables)
        # The run may have been interrupted between its last checkpoint and this point.
        if is_chief() and not (finished and (folder / "last.keras").exists()):
            save_network(model, folder / "last.keras")
        iou, epoch = keeper.best
        return Training(folder, folder / "best.keras", epoch, iou, read_log(folder / "log.csv"))


def _check_classes(model: keras.Model, *sources: SegmentationData | None) -> None:
    """Raises `ValueError` unless the model maps RGB 0-255 to logits for the data's classes."""
    classes = model.output_shape[-1]
    for data in sources:
        if data is not None and len(data.class_names) != classes:
            raise ValueError(
                f"Model and data must have the same classes. Received: a model of {classes} and "
                f"data of {len(data.class_names)} ({listed(data.class_names, 5)}). Build it with "
                f"DeepLab(..., classes=data.class_names)."
            )
    if not takes_rgb(model):
        raise ValueError(
            "The model must take RGB 0-255, as the data has it. Received: a model built with "
            "include_preprocessing=False. Build it with include_preprocessing=True."
        )
    output = find_output(model)
    if output is not None and output.activation is not keras.activations.linear:
        raise ValueError(
            f"The model must return logits to be trained. Received: a model with the activation "
            f"{output.activation.__name__!r}. Build it with classifier_activation=None."
        )


def _check_files(**sources: SegmentationData | None) -> None:
    """Raises `ValueError` if the fast label check finds errors in files."""
    files = {name: x for name, x in sources.items() if isinstance(x, SegmentationFiles)}
    errors = check_sources(files, fast=True).errors
    if errors:
        lines = "\n".join(f"  {finding.message}" for finding in errors[:5])
        more = f"\n  and {len(errors) - 5} more" if len(errors) > 5 else ""
        raise ValueError(
            f"Images and masks must be readable and fit each other. Received:\n{lines}{more}\n"
            f"'keras-deeplab check-data' looks for more."
        )


def _validation(
    data: SegmentationData | None, model: keras.Model, row: RecipeRow, size: tuple[int, int]
) -> Any:
    if data is None:
        return None
    return for_outputs(validation_batches(data, batch_size=row.batch_size, size=size), model)


def _resume(folder: Path, epochs: int, model: keras.Model) -> tuple[int, tuple[float, int]]:
    """Restores the last checkpoint; returns completed epochs, and the best value and epoch."""
    found = checkpoints(folder / "checkpoints")
    if not found:
        return 0, (-math.inf, 0)
    start, run = restore_checkpoint(found[-1], model)
    if start >= epochs:
        _logger.warning("%s is complete after %d epochs. Set more to continue.", folder, epochs)
    else:
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        message = "%s resumes after epoch %d of %d, with the learning rate %.2g."
        _logger.warning(message, folder, start, epochs, rate)
    value, epoch = run["best"]
    return start, (float(value), int(epoch))


def _own_callbacks(folder: Path, start: int) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that must run before the one that saves networks, in order."""
    log = EpochLog(folder / "log.csv", start=start)
    found: list[keras.callbacks.Callback] = [RunProgress(start=start), StopOnNaN(), log]
    if is_chief() and importlib.util.find_spec("tensorboard"):
        found.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    return found
