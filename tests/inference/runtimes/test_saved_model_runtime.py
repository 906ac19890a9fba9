"""SavedModels are programs of TensorFlow: those that could touch files or Python are refused."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab import DeepLab, open_segmenter
from keras_deeplab.exports import export
from keras_deeplab.inference.runtimes.saved_model_runtime import check_saved_model

IMAGE = tf.TensorSpec((None, 8, 8, 3), tf.float32)


def saved(folder: Path, body, **objects) -> Path:
    """A SavedModel whose signature runs `body` on the images, beside its scores."""
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    for name, value in objects.items():
        setattr(module, name, value)

    def serve(images):
        with tf.control_dependencies([x for x in [body(images)] if x is not None]):
            return {"scores": images * module.variable}

    tf.saved_model.save(module, str(folder), signatures=tf.function(serve, input_signature=[IMAGE]))
    return folder


def test_labels_with_a_last_dimension(tmp_path: Path):
    def serve(images):
        return {"labels": tf.cast(images[..., :1] > 100, tf.int64)}

    function = tf.function(serve, input_signature=[IMAGE])
    tf.saved_model.save(tf.Module(), str(tmp_path / "net"), signatures=function)
    segmenter = open_segmenter(tmp_path / "net", class_names=["dark", "bright"])
    assert segmenter.output == "labels"
    assert segmenter.run(np.full((1, 8, 8, 3), 200, "uint8")).tolist() == [[[1] * 8] * 8]


def write(images, path):
    return tf.io.write_file(str(path), "x")


def branch(images, path):
    def touch():
        tf.io.write_file(str(path), "x")
        return 1

    return tf.cond(tf.reduce_sum(images) > -1, touch, lambda: 0)


def python(images, path):
    return tf.py_function(lambda: Path(path).write_text("x"), [], tf.int32)


def dataset(images, path):
    return next(iter(tf.data.TextLineDataset(str(path))))


CASES = {
    "write": (write, "WriteFile"),
    "branch": (branch, "WriteFile"),
    "python": (python, "EagerPyFunc"),
    "read": (lambda images, path: tf.io.read_file("/etc/hostname"), "ReadFile"),
    "list": (lambda images, path: tf.io.matching_files("/etc/*"), "MatchingFiles"),
    "print": (lambda images, path: tf.print("x", output_stream=f"file://{path}"), "PrintV2"),
    "save": (
        lambda images, path: tf.raw_ops.SaveV2(
            prefix=str(path), tensor_names=["x"], shape_and_slices=[""], tensors=[images]
        ),
        "SaveV2",
    ),
    "dataset": (dataset, "TextLineDataset"),
}


@pytest.mark.parametrize("case", CASES)
def test_effects_are_refused_before_anything_runs(tmp_path: Path, case: str):
    body, operator = CASES[case]
    target = tmp_path / "written"
    folder = saved(tmp_path / "net", lambda images: body(images, target))
    with pytest.raises(ValueError, match=rf"must only compute.*net' with .*{operator}"):
        open_segmenter(folder, class_names=["a", "b", "c"])
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_initialisers_are_searched_too(tmp_path: Path):
    (tmp_path / "words.txt").write_text("a\n")
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(tmp_path / "words.txt"),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )
    folder = saved(tmp_path / "net", lambda images: table.lookup(tf.constant(["a"])), table=table)
    with pytest.raises(ValueError, match="InitializeTableFromTextFileV2"):
        check_saved_model(folder)


def test_graphs_of_tensorflow_1(tmp_path: Path):
    for name in ("clean", "writes"):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            images = tf.compat.v1.placeholder(tf.float32, IMAGE.shape)
            variable = tf.compat.v1.get_variable("v", [], use_resource=True)
            effects = [tf.io.write_file(str(tmp_path / "x"), "x")] if name == "writes" else []
            with tf.control_dependencies(effects):
                scores = images * variable
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.saved_model.simple_save(
                session, str(tmp_path / name), {"images": images}, {"scores": scores}
            )
    segmenter = open_segmenter(tmp_path / "clean", class_names=["a", "b", "c"])
    assert segmenter.run(np.ones((1, 8, 8, 3), "uint8")).shape == (1, 8, 8, 3)
    with pytest.raises(ValueError, match="WriteFile"):
        open_segmenter(tmp_path / "writes", class_names=["a", "b", "c"])
    assert not (tmp_path / "x").exists()


def test_unknown_operators_are_refused(tmp_path: Path):
    folder = saved(tmp_path / "net", lambda images: None)
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"\x12\x03Mul", b"\x12\x03Mux"))
    with pytest.raises(ValueError, match="none that TensorFlow does not know.*Mux"):
        check_saved_model(folder)


@pytest.mark.slow
def test_exports_pass(tmp_path: Path, small_presets):
    model = DeepLab(classes=3, version="v3+", backbone="mobilenet_v2", crf="crf_rnn")
    export(model, tmp_path / "crf", input_size=33, min_agreement=0)
    check_saved_model(tmp_path / "crf")


def test_ordinary_networks_pass(tmp_path: Path):
    image = keras.Input((16, 16, 3))
    layers = keras.layers
    x = layers.SpatialDropout2D(0.3)(layers.GaussianNoise(0.1)(image))
    x = layers.ConvLSTM1D(3, 3, padding="same", return_sequences=True)(x)
    keras.Model(image, layers.Softmax()(layers.RandomFlip()(x))).export(
        tmp_path / "own", verbose=False
    )
    check_saved_model(tmp_path / "own")
