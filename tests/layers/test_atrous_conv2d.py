import keras
import numpy as np
import pytest
from packaging.version import Version

from keras_deeplab.layers import AtrousConv2D

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("rate", [1, 2, 7, 30])
@pytest.mark.parametrize("size", [(12, 17), (1, 3)])
def test_values_and_gradients_equal_keras(rate: int, size: tuple[int, int], rng):
    """Keras' own layer, by space to batch; rate 30 reaches beyond the image."""
    x = tf.constant(rng.normal(size=(2, *size, 3)), tf.float32)
    ours = AtrousConv2D(4, 3, dilation_rate=rate)
    keras_layer = keras.layers.Conv2D(4, 3, padding="same", dilation_rate=rate)
    for layer in (ours, keras_layer):
        layer.build(x.shape)
    keras_layer.set_weights(ours.get_weights())
    results = []
    for layer in (ours, keras_layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value])])
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_no_space_to_batch_in_the_graph():
    layer = AtrousConv2D(4, 3, dilation_rate=2)
    layer.build((None, None, None, 3))
    function = tf.function(layer).get_concrete_function(tf.TensorSpec((1, None, None, 3)))
    assert not [op for op in function.graph.get_operations() if "Space" in op.type]


def test_config():
    layer = AtrousConv2D(4, 3, dilation_rate=6, use_bias=False, name="a")
    again = AtrousConv2D.from_config(layer.get_config())
    assert (again.filters, again.dilation_rate, again.padding) == (4, (6, 6), "same")


@pytest.mark.skipif(
    Version(keras.__version__) < Version("3.13"), reason="Keras exports TFLite since 3.13"
)
def test_is_one_operator_in_tflite(tmp_path, rng):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    x = rng.normal(size=(1, 17, 20, 3)).astype("float32")
    image = keras.Input(x.shape[1:])
    model = keras.Model(image, AtrousConv2D(4, 3, dilation_rate=6)(image))
    model.export(tmp_path / "m.tflite", format="litert", verbose=False)
    interpreter = litert.Interpreter(str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(result, model(x), atol=1e-5)
    # Input, kernel, bias, output: space to batch would add its own tensors.
    assert len(interpreter.get_tensor_details()) <= 6
