from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.presets.recipes import RECIPES
from keras_deeplab.training.compiled_model import compiled_model, for_outputs, strategy_scope


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
