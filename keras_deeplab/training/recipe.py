"""Resolves training recipes, and builds the optimizers and models that they train."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import keras

from keras_deeplab._validation import check_choice, check_int, suggestion
from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.models.multi_scale import training_model
from keras_deeplab.optimizers import LayerwiseAdam, LayerwiseSGD, PolyDecay
from keras_deeplab.presets.recipes import RECIPES, RecipeRow


def resolve_recipe(recipe: str | RecipeRow, changes: dict[str, Any]) -> RecipeRow:
    """Returns a checked recipe with some fields overridden.

    Raises:
        TypeError: If a field is unknown.
        ValueError: If the recipe is unknown, or a field is out of range.
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


def build_optimizer(row: RecipeRow, steps: int, accumulate: int) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a recipe for `steps` batches, `accumulate` batches per step."""
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
        # An average over more than a tenth of a short run would include its random initial weights.
        ema_momentum=max(0.0, min(row.ema, 1 - 10 * accumulate / steps)),
    )
    if row.optimizer == "sgd":
        return LayerwiseSGD(schedule, momentum=row.momentum, **common)
    return LayerwiseAdam(schedule, **common)


def compiled_model(
    model: keras.Model,
    data: SegmentationData,
    row: RecipeRow,
    loss: keras.losses.Loss,
    optimizer: keras.optimizers.Optimizer,
) -> tuple[keras.Model, str]:
    """Returns a compiled model with the same layers, and the name of mean IoU in its logs."""
    metric = MeanIoU(len(data.class_names), ignore_class=data.ignore_class)
    output = model.output_names[-1]
    if row.targets == "scores":
        trained = training_model(model)
    else:
        trained = keras.Model(model.input, {output: model.output})
    inner = [name for name in trained.output_names if name != output]
    trained.compile(
        optimizer=optimizer,
        loss=dict.fromkeys(inner or [output], loss),
        metrics={output: [metric]},
        # With XLA, training is several times slower on a CPU.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    # Variables created during the first trace of a step would make TensorFlow trace it again.
    trained.optimizer.build(trained.trainable_variables)
    # With several outputs, Keras prefixes metric names with the name of the output.
    return trained, f"val_{output}_mean_iou" if inner else "val_mean_iou"


def for_outputs(batches: Any, model: keras.Model) -> Any:
    """Maps batches so that every output of a model gets the labels."""
    return batches.map(lambda images, labels: (images, dict.fromkeys(model.output_names, labels)))


def strategy_scope(model: keras.Model) -> Any:
    """Returns the scope of the `tf.distribute` strategy that the model was built under, if any."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()
