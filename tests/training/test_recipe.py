from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.presets.recipes import RECIPES
from keras_deeplab.training.recipe import (
    build_optimizer,
    compiled_model,
    for_outputs,
    strategy_scope,
)


@pytest.mark.parametrize(("steps", "momentum"), [(5, 0.0), (40, 0.75), (20_000, 0.99)])
def test_averages_span_a_tenth_of_a_short_run(steps: int, momentum: float):
    optimizer = build_optimizer(RECIPES["fine_tune"], steps, 1)
    assert optimizer.ema_momentum == pytest.approx(momentum)


def test_recipes_become_optimizers():
    poly = build_optimizer(RECIPES["v2_vgg16"], 20_000, 1)
    assert poly.momentum == 0.9
    assert poly.weight_decay == 5e-4
    assert float(poly.learning_rate) == pytest.approx(1e-3)
    assert poly.multipliers == {r"classifier.*/bias": 20.0, "classifier": 10.0, "/bias": 2.0}
    assert not poly.use_ema
    step = build_optimizer(RECIPES["v1"], 6_000, 2)
    # Keras counts batches, of which two make a step here.
    rates = [float(step._learning_rate(batch)) for batch in (3_999, 4_000, 8_000)]
    assert rates == pytest.approx([1e-3, 1e-4, 1e-5], rel=1e-5)


def network() -> keras.Model:
    image = keras.Input((8, 8, 3))
    scores = keras.layers.Conv2D(2, 1, name="scores")(image)
    return keras.Model(image, SegmentationOutput(["a", "b"], name="output")(scores))


@pytest.fixture
def data() -> SegmentationFiles:
    example = Example("a", Path("a.png"), Path("a_mask.png"))
    return SegmentationFiles([example], class_names=["a", "b"])


def test_metric_and_loss_follow_the_data(data, rng):
    model = network()
    loss = CrossEntropy(ignore_class=255)
    optimizer = keras.optimizers.SGD(0.0)
    trained, monitor = compiled_model(model, data, RECIPES["fine_tune"], loss, optimizer)
    assert monitor == "val_mean_iou"
    assert trained.layers == model.layers
    images = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    labels = rng.integers(0, 2, (2, 8, 8)).astype("int32")
    labels[:, :2] = 255
    batches = for_outputs(tf.data.Dataset.from_tensors((images, labels)), trained)
    found = trained.evaluate(batches, return_dict=True, verbose=0)
    logits = model.predict(images, verbose=0)
    assert found["loss"] == pytest.approx(float(loss(labels, logits)), rel=1e-5)
    predicted, kept = logits.argmax(-1), labels != 255
    ious = [
        ((predicted == i) & (labels == i)).sum() / (((predicted == i) | (labels == i)) & kept).sum()
        for i in range(2)
    ]
    assert found["mean_iou"] == pytest.approx(np.mean(ious), rel=1e-5)


def test_every_output_gets_the_labels():
    image = keras.Input((2,))
    model = keras.Model(image, {"x": image + 1, "y": image * 2})
    batches = tf.data.Dataset.from_tensors((np.zeros((1, 2)), np.ones(1)))
    ((_, labels),) = for_outputs(batches, model)
    assert {name: value.numpy().tolist() for name, value in labels.items()} == {
        name: [1.0] for name in model.output_names
    }


def test_scope_of_the_strategy():
    model = network()
    with strategy_scope(model):
        assert not tf.distribute.has_strategy()
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = network()
    with strategy_scope(model):
        assert tf.distribute.get_strategy() is strategy
