"""Training: a model, data and a recipe become a run in a folder."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_deeplab._checks import check_int
from keras_deeplab.data.pipeline import training_batches, validation_batches
from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.tables.recipes import RecipeRow
from keras_deeplab.training.pictures import PredictionSheet
from keras_deeplab.training.watchers import (
    EpochLog,
    Keeper,
    StopOnNaN,
    ValidateAveraged,
    read_log,
    save_network,
)

_logger = logging.getLogger("keras_deeplab")
_MONITOR = "val_mean_iou"


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
    validation_size: tuple[int, int] | None = None,
    class_weights: Sequence[float] | None = None,
    loss: keras.losses.Loss | None = None,
    accumulate: int = 1,
    patience: int = 0,
    pictures: int = 4,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: Any = "auto",
    **changes: Any,
) -> Training:
    """Trains a model by a recipe, with `model.fit`.

    The folder of the run gets "log.csv", TensorBoard's "tensorboard", "pictures" of validation
    images each epoch, "best.keras" and, at the end, "last.keras". If it already holds a run of the
    same settings, that one is continued from its last finished epoch, as if it had never stopped.

    Args:
        model: A model of `DeepLab`.
        data: What to train on.
        folder: Where the run is kept.
        recipe: Name of a row of `keras_deeplab.tables.recipes`, or such a row.
        validation_data: What to measure each epoch; the network that does best on it is kept.
        validation_size: (height, width) that validation images are fitted into, pixels. Left out:
            that of the dataset of the model's classes, or the recipe's crop.
        class_weights: Factors of the loss by class id.
        loss: From integer labels and logits. Left out: `losses.CrossEntropy` with the data's
            `ignore_class` and ``class_weights``.
        accumulate: Batches whose gradients are averaged into one step.
        patience: Epochs without a better network after which to stop; 0: train to the end.
        pictures: Number of validation images to draw each epoch.
        seed: Of order and augmentation.
        callbacks: More callbacks of Keras.
        verbose: As in `keras.Model.fit`.
        **changes: Fields of the recipe that differ, such as ``epochs=10``, ``batch_size=4``,
            ``crop_size=(257, 257)``, ``learning_rate=1e-4``.

    Returns:
        The files and figures of the run. The model has the weights of the last epoch, averaged
        where the recipe averages them.

    Raises:
        ValueError: If an argument is unknown, data and model differ in their number of classes,
            or the folder holds another run.
        FloatingPointError: If the loss is no longer finite.

    Example:

    >>> data = read_folder("photos", "train")  # doctest: +SKIP
    >>> model = DeepLab(weights="voc", classes=data.class_names)  # doctest: +SKIP
    >>> train(model, data, "runs/first", epochs=10)  # doctest: +SKIP

    Reference:
        The recipes name theirs.
    """
    row = _recipe(recipe, changes)
    check_int("accumulate", accumulate, minimum=1)
    check_int("patience", patience, minimum=0)
    _check_classes(model, data, validation_data)
    folder = Path(folder).expanduser()
    steps_per_epoch = max(1, len(data) // row.batch_size)
    steps = row.steps * accumulate or row.epochs * steps_per_epoch
    epochs = math.ceil(steps / steps_per_epoch)
    size = validation_size or _validation_size(model, row)

    settings = {
        "recipe": dataclasses.asdict(row),
        "model": model.name,
        "classes": list(data.class_names),
        "images": len(data),
        "accumulate": accumulate,
        "seed": seed,
    }
    _open_folder(folder, settings)
    trained = training_model(model, targets=row.targets)
    with _scope(model):
        loss = loss or CrossEntropy(ignore_class=data.ignore_class, class_weights=class_weights)
        metric = MeanIoU(len(data.class_names), ignore_class=data.ignore_class)
        trained.model.compile(
            optimizer=_optimizer(row, steps, accumulate),
            loss=dict.fromkeys(trained.losses, loss),
            metrics={trained.scores: [metric]},
            jit_compile="auto" if keras.backend.backend() == "jax" else False,
        )
        start, best = _resume(folder, trained.model)
    if start:
        _logger.warning("%s: goes on after epoch %d of %d", folder, start, epochs)
    keeper = Keeper(
        model,
        folder,
        monitor=_MONITOR,
        best=best,
        patience=patience,
        pictures=PredictionSheet(
            model, validation_data or data, folder / "pictures", number=pictures, size=size
        ),
    )
    watchers = [
        StopOnNaN(),
        *([ValidateAveraged()] if row.ema else []),
        EpochLog(folder / "log.csv", start=start),
        keras.callbacks.TensorBoard(folder / "tensorboard"),
        keeper,
    ]
    if start < epochs and not _stopped(folder, patience):
        batches = training_batches(
            data,
            batch_size=row.batch_size,
            crop_size=row.crop_size,
            scales=row.scales,
            scale_step=row.scale_step,
            flip=row.flip,
            photometric=row.photometric,
            seed=seed,
            start=start * steps_per_epoch,
        )
        trained.model.fit(
            trained.with_labels(batches),
            initial_epoch=start,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation_data
            and trained.with_labels(
                validation_batches(validation_data, batch_size=row.batch_size, size=size)
            ),
            callbacks=[*watchers, *callbacks],
            verbose=verbose,
        )
        save_network(model, folder / "last.keras")
    value, epoch = keeper.best
    return Training(folder, folder / "best.keras", epoch, value, read_log(folder / "log.csv"))
