"""The model that `train` fits: the same layers, with optimizer, losses and metric."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from keras_deeplab.data.sources import SegmentationData
from keras_deeplab.metrics import MeanIoU
from keras_deeplab.models.multi_scale import training_model
from keras_deeplab.presets.recipes import RecipeRow


def compiled_model(
    model: keras.Model,
    data: SegmentationData,
    row: RecipeRow,
    loss: keras.losses.Loss,
    optimizer: keras.optimizers.Optimizer,
) -> tuple[keras.Model, str]:
    """Returns a compiled model with the same layers, and the name of mean IoU in its logs."""
    metric = MeanIoU(len(data.class_names), ignore_class=data.ignore_class)
    trained = _outputs_of_losses(model, row.targets)
    output = model.output_names[-1]
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


def _outputs_of_losses(model: keras.Model, targets: str) -> keras.Model:
    """Returns a model with the same layers and the outputs of the losses, by name."""
    if targets == "scores":
        return training_model(model)
    return keras.Model(model.input, {model.output_names[-1]: model.output})


def for_outputs(batches: Any, model: keras.Model) -> Any:
    """Maps batches so that every output of a model gets the labels."""
    return batches.map(lambda images, labels: (images, dict.fromkeys(model.output_names, labels)))


def strategy_scope(model: keras.Model) -> Any:
    """Returns the scope of the `tf.distribute` strategy that the model was built under, if any."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy is not None else contextlib.nullcontext()
