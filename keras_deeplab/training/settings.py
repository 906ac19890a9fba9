"""What a run is to do: its recipe, checked; its optimizer; its folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras

from keras_deeplab._checks import check_choice, check_int, suggestion
from keras_deeplab.data.check import check_sources
from keras_deeplab.data.sources import SegmentationData, SegmentationFiles
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.optimizers import LayerwiseAdam, LayerwiseSGD
from keras_deeplab.schedules import PolyDecay
from keras_deeplab.tables.recipes import RECIPES, RecipeRow
from keras_deeplab.training.checkpoint import checkpoints
from keras_deeplab.training.watchers import is_chief


def find_recipe(recipe: str | RecipeRow, changes: dict[str, Any]) -> RecipeRow:
    """Returns the row of a recipe with some fields changed, checked.

    Raises:
        TypeError: If there is no such field.
        ValueError: If there is no such recipe, or a field is out of its range.
    """
    if isinstance(recipe, str):
        check_choice("recipe", recipe, tuple(RECIPES))
        recipe = RECIPES[recipe]
    known = [field.name for field in dataclasses.fields(RecipeRow)]
    for name in changes:
        if name not in known:
            raise TypeError(
                f"train() takes its own arguments and the fields of a recipe ({', '.join(known)}). "
                f"Received: {name}={changes[name]!r}.{suggestion(name, known)}"
            )
    if "epochs" in changes and "steps" not in changes:
        changes = {**changes, "steps": 0}
    row = dataclasses.replace(recipe, **changes)
    check_choice("optimizer", row.optimizer, ("sgd", "adamw"))
    check_choice("schedule", row.schedule, ("poly", "step"))
    check_choice("targets", row.targets, ("image", "scores"))
    check_int("batch_size", row.batch_size, minimum=1)
    check_int("epochs" if row.steps == 0 else "steps", row.steps or row.epochs, minimum=1)
    if len(row.crop_size) != 2 or min(row.crop_size) < 1:
        raise ValueError(
            f"crop_size must be (height, width) in pixels. Received: crop_size={row.crop_size!r}."
        )
    return row


def check_classes(model: keras.Model, *sources: SegmentationData | None) -> None:
    """Raises `ValueError` unless the model returns logits of the classes of the data."""
    classes = model.output_shape[-1]
    for data in sources:
        if data is not None and len(data.class_names) != classes:
            raise ValueError(
                f"Model and data must have the same classes. Received: a model of {classes} and "
                f"data of {len(data.class_names)} ({', '.join(data.class_names[:5])}, ...). Build "
                f"it with DeepLab(..., classes=data.class_names)."
            )
    output = model.layers[-1]
    if isinstance(output, SegmentationOutput) and output.activation is not keras.activations.linear:
        raise ValueError(
            f"The model must return logits to be trained. Received: a model with the activation "
            f"{output.activation.__name__!r}. Build it with classifier_activation=None."
        )


def check_files(sources: dict[str, SegmentationData | None]) -> None:
    """Raises `ValueError` with what the fast part of the label doctor finds wrong in files."""
    files = {name: x for name, x in sources.items() if isinstance(x, SegmentationFiles)}
    errors = check_sources(files, fast=True).errors
    if errors:
        listed = "\n".join(f"  {finding.message}" for finding in errors[:5])
        more = f"\n  and {len(errors) - 5} more" if len(errors) > 5 else ""
        raise ValueError(
            f"Images and masks must be whole and fit each other. Received:\n{listed}{more}\n"
            f"'keras-deeplab check-data' looks for more."
        )


def build_optimizer(row: RecipeRow, steps: int, accumulate: int) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a recipe, for so many batches, `accumulate` of them a step."""
    schedule: Any
    if row.schedule == "poly":
        warmup = min(row.warmup_steps * accumulate, steps // 10)
        schedule = PolyDecay(row.learning_rate, steps, power=row.power, warmup_steps=warmup)
    else:
        schedule = keras.optimizers.schedules.ExponentialDecay(
            row.learning_rate, row.step_length * accumulate, row.step_factor, staircase=True
        )
    common: dict[str, Any] = dict(
        multipliers=dict(row.multipliers),
        weight_decay=row.weight_decay,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
        use_ema=row.ema > 0,
        # An average over more than a tenth of a short run would remember its random start.
        ema_momentum=max(0.0, min(row.ema, 1 - 10 * accumulate / steps)),
    )
    if row.optimizer == "sgd":
        return LayerwiseSGD(schedule, momentum=row.momentum, **common)
    return LayerwiseAdam(schedule, **common)


def open_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Makes the folder of a run, or checks that the run it holds is this one.

    Raises:
        ValueError: If it is another one.
    """
    path = folder / "run.json"
    settings = json.loads(json.dumps(settings))
    if checkpoints(folder / "checkpoints"):
        kept = json.loads(path.read_text())
        other = [key for key in settings if kept.get(key) != settings[key]]
        if "recipe" in other:
            fields = settings["recipe"]
            other = [key for key in fields if kept["recipe"].get(key) != fields[key]] + [
                key for key in other if key != "recipe"
            ]
        if other:
            raise ValueError(
                f"{folder} must be empty or hold a run of the same settings. Received: another "
                f"run, which differs in {', '.join(other)}. Choose another folder, or delete it."
            )
        return
    if not is_chief():
        return
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(settings, indent=1) + "\n")
    partial.replace(path)
