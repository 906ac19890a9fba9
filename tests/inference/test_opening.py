"""Every format answers as the Keras model does, and what is none is refused with words."""

import json
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab, segment
from keras_deeplab.inference import Segmenter, open_segmenter
from keras_deeplab.inference.sidecar import read_sidecar
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.presets.datasets import DATASETS, voc_palette

NAMES = ("red", "green", "blue", "rest")
SIDECAR = {
    "format_version": 1,
    "class_names": list(NAMES),
    "palette": [[9, 9, 9], [255, 0, 0], [0, 255, 0], [0, 0, 255]],
    "ignore_class": 77,
    "input": {"height": None, "width": None, "dtype": "float32", "range": "RGB 0-255"},
    "output": {"kind": "logits", "dtype": "float32"},
}


class ArgMax(keras.layers.Layer):
    """`keras.ops.argmax` uses an operator that TFLite lacks."""

    def call(self, x):
        import tensorflow as tf

        return tf.argmax(x, axis=-1)


def small_model(shape=(None, None, 3), batch=None, kind="logits") -> keras.Model:
    keras.utils.set_random_seed(3)
    image = keras.Input(shape, batch_size=batch)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(4, 1)(x)
    activation = "softmax" if kind == "probabilities" else None
    return keras.Model(image, SegmentationOutput(NAMES, activation)(x))


def write_tflite(
    model: keras.Model, path: Path, *, kind: str | None = None, argmax: bool = False
) -> Path:
    import tensorflow as tf

    if argmax:
        model = keras.Model(model.input, ArgMax()(model.output))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind is not None:
        photos = np.random.default_rng(0).integers(0, 256, (8, 1, 16, 24, 3))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [[x.astype("float32")] for x in photos]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(converter.convert())
    return path


def write_onnx(model: keras.Model, path: Path) -> Path:
    tf2onnx = pytest.importorskip("tf2onnx")
    import tensorflow as tf

    with warnings.catch_warnings():
        # np.object, which tf2onnx asks NumPy for.
        warnings.simplefilter("ignore")
        tf2onnx.convert.from_function(
            tf.function(lambda x: model(x)),
            input_signature=[tf.TensorSpec(model.input_shape, "float32", name="image")],
            output_path=str(path),
        )
    return path


def write_onnx_identity(path: Path, *, outputs=1, channels_first=False) -> Path:
    """A network, without any description, that returns the image."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    shape = ("n", 3, "h", "w") if channels_first else ("n", "h", "w", 3)
    values = [helper.make_tensor_value_info(f"y{i}", floats, shape) for i in range(outputs)]
    nodes = [helper.make_node("Identity", ["x"], [f"y{i}"]) for i in range(outputs)]
    image = helper.make_tensor_value_info("x", floats, shape)
    graph = helper.make_graph(nodes, "identity", [image], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.integers(0, 256, (1, 16, 24, 3)).astype("uint8")


def with_sidecar(path: Path, **changes) -> Path:
    sidecar = path / "keras_deeplab.json" if path.is_dir() else Path(f"{path}.json")
    sidecar.write_text(json.dumps({**SIDECAR, **changes}))
    return path


def export(model: keras.Model, folder: Path, form: str) -> Path:
    path = folder / f"net{form}"
    if form == ".tflite":
        return with_sidecar(write_tflite(model, path))
    if form == ".onnx":
        pytest.importorskip("onnxruntime")
        return with_sidecar(write_onnx(model, path))
    if form == ".keras":
        model.save(path)
        return path
    model.export(path, verbose=False)
    return with_sidecar(path)


@pytest.mark.parametrize("form", [".keras", ".tflite", ".onnx", ""])
def test_formats_answer_as_the_model_does(tmp_path, images, form):
    model = small_model()
    segmenter = open_segmenter(export(model, tmp_path, form))
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(segmenter.run(images), expected, atol=1e-4)
    # Another size, a batch, floats.
    several = np.random.default_rng(1).uniform(0, 255, (2, 9, 11, 3)).astype("float32")
    np.testing.assert_allclose(segmenter.run(several), model.predict_on_batch(several), atol=1e-4)
    assert segmenter.class_names == NAMES
    assert segmenter.output == "logits"
    if form != ".keras":
        assert segmenter.palette[1] == (255, 0, 0)
        assert segmenter.ignore_class == 77
    assert segmenter.inference_size == (513, 513)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_quantised_files_return_floats(tmp_path, images, kind):
    model = small_model((16, 24, 3))
    path = with_sidecar(write_tflite(model, tmp_path / "net.tflite", kind=kind))
    segmenter = open_segmenter(path)
    assert segmenter.input_shape == (None, 16, 24, 3)
    expected = model.predict_on_batch(images)
    result = segmenter.run(images)
    assert result.dtype == np.float32
    # 8 bits of the range of the scores.
    np.testing.assert_allclose(result, expected, atol=4 * np.ptp(expected) / 255)


def test_a_fixed_batch_is_filled(tmp_path, images):
    model = small_model((16, 24, 3), batch=4)
    path = with_sidecar(write_tflite(model, tmp_path / "net.tflite"))
    segmenter = open_segmenter(path)
    assert segmenter.input_shape == (4, 16, 24, 3)
    filled = np.concatenate([images, images[:, ::-1], images, images])
    for count in (1, 3):
        scores = list(segmenter.predict(filled[:count]))
        assert len(scores) == count
        for one, expected in zip(scores, model.predict_on_batch(filled), strict=False):
            np.testing.assert_allclose(one.values, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["probabilities", "labels"])
def test_the_kind_of_output_is_found_without_sidecar(tmp_path, images, kind):
    path = write_tflite(small_model(kind=kind), tmp_path / "net.tflite", argmax=kind == "labels")
    segmenter = open_segmenter(path, class_names=NAMES)
    assert segmenter.output == kind
    result = segmenter.run(images)
    assert result.shape == ((1, 16, 24) if kind == "labels" else (1, 16, 24, 4))
    assert segmenter.palette == voc_palette(4)


def test_a_known_datasets_names_bring_its_colours(tmp_path):
    path = write_tflite(small_model(), tmp_path / "net.tflite", argmax=True)
    segmenter = open_segmenter(path, class_names=DATASETS["cityscapes"].class_names)
    assert segmenter.palette == DATASETS["cityscapes"].palette
    assert segmenter.inference_size == (1025, 2049)
    assert open_segmenter(segmenter) is segmenter


def test_segment_takes_files(tmp_path, images):
    model = small_model()
    path = export(model, tmp_path, ".tflite")
    result, expected = (segment(m, images[0], size="own", flip=True) for m in (path, model))
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.class_names == NAMES
    labels = write_tflite(small_model(), tmp_path / "labels.tflite", argmax=True)
    result = segment(labels, images[0], size="own", class_names=NAMES)
    np.testing.assert_array_equal(result.labels, segment(model, images[0], size="own").labels)
    with pytest.raises(ValueError, match="must return scores for a CRF"):
        segment(labels, images[0], crf=True, class_names=NAMES)


def words(error: type, text: str):
    return pytest.raises(error, match=text)


def test_what_is_no_network_is_refused(tmp_path: Path):
    for name, text in [
        ("text.tflite", "must be a TFLite network. Received: .*text.tflite"),
        ("text.onnx", "must be a valid ONNX network. Received: .*text.onnx"),
        (
            "text.keras",
            "must be a valid Keras model. Received: .*text.keras' .it is no zip archive",
        ),
        ("text.pt", "must be a .keras, .tflite or .onnx file, or the folder"),
    ]:
        (tmp_path / name).write_text("not a network at all")
        with words(ValueError, text):
            open_segmenter(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with words(ValueError, "must be a SavedModel, with a file saved_model.pb"):
        open_segmenter(tmp_path / "empty")
    (tmp_path / "empty" / "saved_model.pb").write_text("not a network at all")
    with words(ValueError, "The SavedModel must be complete"):
        open_segmenter(tmp_path / "empty")
    with words(FileNotFoundError, "must exist. Received: .*gone.onnx"):
        open_segmenter(tmp_path / "gone.onnx")
    with words(TypeError, "must be a keras.Model or the path of a file. Received: int"):
        open_segmenter(3)


def test_damaged_files_are_refused(tmp_path: Path):
    path = write_tflite(small_model(), tmp_path / "cut.tflite")
    content = path.read_bytes()
    # The runtime's own reading of most of these crashes the process.
    for end in range(8, len(content), len(content) // 20):
        path.write_bytes(content[:end])
        with words(ValueError, f"must be a valid TFLite network. Received: .*, {end} bytes"):
            open_segmenter(path, class_names=NAMES)


def test_layers_of_others_are_named(tmp_path: Path):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((8, 8, 3))
    keras.Model(image, Own()(image)).save(tmp_path / "own.keras")
    with words(ValueError, r"known. Received: .*own.keras' with 'Own'\. Import what defines it"):
        open_segmenter(tmp_path / "own.keras")


def test_networks_without_names_ask_for_them(tmp_path: Path):
    path = write_tflite(small_model(), tmp_path / "net.tflite")
    with words(ValueError, r"without .*net.tflite.json.*Pass class_names"):
        open_segmenter(path)
    with words(ValueError, "class_names must name the network's 4 classes. Received: 2 names"):
        open_segmenter(path, class_names=["a", "b"])
    with words(ValueError, "json must name the network's 4 classes. Received: 2 names"):
        open_segmenter(with_sidecar(path, class_names=["a", "b"]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (dict(format_version=2), "must have format_version 1. Received: 2"),
        (dict(class_names=3), "must describe an export of keras_deeplab"),
        (dict(input={"range": "-1..1"}), "must take images of range RGB 0-255"),
        (dict(input={"layout": "NCHW"}), "must take images of layout NHWC"),
    ],
)
def test_wrong_sidecars_are_refused(tmp_path, changes, text):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(20))
    with_sidecar(path, **changes)
    with pytest.raises(ValueError, match=text):
        read_sidecar(path).check_images()
    Path(f"{path}.json").write_text("{")
    with pytest.raises(ValueError, match="must describe an export of keras_deeplab"):
        read_sidecar(path)


def test_networks_for_something_else_are_refused(tmp_path: Path):
    image = keras.Input((16, 16, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    classifier = keras.Model(image, keras.layers.Dense(7)(pooled))
    classifier.export(tmp_path / "classifier", verbose=False)
    with words(ValueError, r"at the size of the images. Received: .* returns shape \(1, 7\)"):
        open_segmenter(tmp_path / "classifier", class_names=NAMES)
    half = keras.Model(image, keras.layers.AveragePooling2D(2)(image))
    path = write_tflite(half, tmp_path / "half.tflite")
    with words(ValueError, r"returns shape \(1, 8, 8, 3\) for images of shape \(1, 16, 16, 3\)"):
        open_segmenter(path, class_names=NAMES)
    text = keras.Input((5,))
    dense = keras.Model(text, keras.layers.Dense(2)(text))
    path = write_tflite(dense, tmp_path / "dense.tflite")
    with words(ValueError, r"must take RGB images .* takes shape \(None, 5\)"):
        open_segmenter(path, class_names=NAMES)


def test_onnx_of_others(tmp_path: Path, images):
    pytest.importorskip("onnxruntime")
    path = write_onnx_identity(tmp_path / "net.onnx")
    with words(ValueError, r"without .*net.onnx.json"):
        open_segmenter(path)
    segmenter = open_segmenter(path, class_names=["a", "b", "c"])
    np.testing.assert_array_equal(segmenter.run(images), images)
    with words(ValueError, "must have one input, of float or uint8, and one output"):
        open_segmenter(write_onnx_identity(tmp_path / "two.onnx", outputs=2))
    with words(ValueError, r"must take RGB images of shape \(batch, height, width, 3\)"):
        open_segmenter(write_onnx_identity(tmp_path / "first.onnx", channels_first=True))


def test_saved_models_of_others(tmp_path: Path):
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    with words(ValueError, "must have the signature 'serving_default'. Received: .*none"):
        open_segmenter(tmp_path / "bare")
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    keras.Model([a, b], keras.layers.Add()([a, b])).export(tmp_path / "two", verbose=False)
    with words(ValueError, "must have one input and one output"):
        open_segmenter(tmp_path / "two")


def test_names_may_be_changed():
    segmenter = open_segmenter(small_model())
    assert isinstance(segmenter, Segmenter)
    assert open_segmenter(segmenter, class_names=list("abcd")).class_names == tuple("abcd")
    with words(ValueError, "must name the network's 4 classes. Received: 1 names"):
        open_segmenter(segmenter, class_names="a")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda x: x, "logits"),
        (keras.layers.Softmax(), "probabilities"),
        (keras.layers.Activation("softmax"), "probabilities"),
        (keras.layers.Conv2D(4, 1, activation="softmax"), "probabilities"),
        (keras.layers.Conv2D(4, 1, activation="sigmoid"), "probabilities"),
        (keras.layers.Conv2D(4, 1, activation="relu"), "logits"),
        (keras.ops.softmax, "probabilities"),
        (keras.Sequential([keras.layers.Softmax()]), "probabilities"),
        (SegmentationOutput(NAMES, "softmax"), "probabilities"),
        (SegmentationOutput(NAMES), "logits"),
    ],
)
def test_the_kind_of_a_keras_model(end, expected):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, end(keras.layers.Conv2D(4, 1)(image)))
    assert open_segmenter(model).output == expected
    assert open_segmenter(model, from_logits=True).output == "logits"
    other = open_segmenter(open_segmenter(model), from_logits=False)
    assert other.output == "probabilities"


def test_a_batch_runs_together_on_accelerators_only(monkeypatch):
    assert open_segmenter(small_model()).batch_size == 1
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: ["0"] * (kind == "gpu"))
    assert open_segmenter(small_model()).batch_size == 16


@pytest.mark.parametrize("file", [False, True])
def test_a_network_without_its_preprocessing_is_refused(small_presets, tmp_path, file: bool):
    """It would take RGB 0-255 for -1..1, and find a television in every photo."""
    model = raw = DeepLab(backbone="vgg16", classes=3, include_preprocessing=False)
    if file:
        raw.save(model := tmp_path / "raw.keras")
    with pytest.raises(ValueError, match="RGB 0-255. Received: .* include_preprocessing=False"):
        open_segmenter(model)
    scaled = keras.Sequential([keras.layers.Rescaling(1 / 127.5, -1), raw])
    scaled.build((None, None, None, 3))
    image = np.full((1, 33, 33, 3), 200, "uint8")
    np.testing.assert_allclose(open_segmenter(scaled).run(image), raw(image / 127.5 - 1), atol=1e-4)
