import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import export
from keras_deeplab.exports import RUNTIMES, tflite_export
from keras_deeplab.inference import open_segmenter
from keras_deeplab.layers import AtrousConv2D, CRFAsRNN, ResizeBilinear, SegmentationOutput

tf = pytest.importorskip("tensorflow")
NAMES = ["background", "cat", "dog"]


def network(*, size=(None, None), crf: bool = False, activation: str | None = None) -> keras.Model:
    """Stride 2, two atrous convolutions, a resize: what exports stumble over, and nothing else."""
    keras.utils.set_random_seed(0)
    image = keras.Input((*size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="preprocessing")(image)
    x = keras.layers.Conv2D(4, 3, 2, padding="same")(x)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = AtrousConv2D(4, 3, dilation_rate=3)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    x = keras.layers.Conv2D(3, 1)(x)
    x = ResizeBilinear(align_corners=True, dtype="float32")([x, image])
    if crf:
        x = CRFAsRNN(num_iterations=1, name="crf")([x, image])
    x = SegmentationOutput(NAMES, activation, inference_size=(45, 61), name="output")(x)
    model = keras.Model(image, x, name="net")
    model.get_layer("bn").set_weights([np.full(4, value, "float32") for value in (2, 1, 0.5, 3)])
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network()


@pytest.fixture
def photos(tmp_path: Path, rng) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), "uint8"))
        small.resize((60, 45), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def schema(path: Path):
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated.ModelT.InitFromPackedBuf(path.read_bytes())


def inner_metadata(path: Path) -> dict:
    if path.suffix == ".onnx":
        import onnx

        (entry,) = onnx.load(path).metadata_props
        return json.loads(entry.value)
    file = schema(path)
    (buffer,) = [m.buffer for m in file.metadata if m.name == b"keras_deeplab"]
    return json.loads(bytes(file.buffers[buffer].data))


def ends(path: Path) -> tuple[list[int | None], str, str]:
    """The file's own word on the shape and type of its images, and the type of its answers."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        (source,), (target,) = session.get_inputs(), session.get_outputs()
        sides = [side if isinstance(side, int) else None for side in source.shape]
        kinds = [
            end.type[len("tensor(") : -1].replace("float", "float32") for end in (source, target)
        ]
        return sides, *kinds
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    sides = [None if side < 0 else side for side in source["shape_signature"].tolist()]
    return sides, np.dtype(source["dtype"]).name, np.dtype(target["dtype"]).name


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.parametrize(
    ("options", "output", "shape"),
    [
        (dict(), ("logits", "float32"), (1, None, None)),
        (dict(softmax=True, input_size=(32, 47)), ("probabilities", "float32"), (1, 32, 47)),
        (dict(argmax=True, uint8_input=True, batch=2), ("labels", "uint8"), (2, None, None)),
        (dict(argmax=True, output_dtype="int32"), ("labels", "int32"), (1, None, None)),
    ],
)
def test_variants(model, suffix: str, options: dict, output: tuple, shape: tuple, tmp_path: Path):
    result = export(model, tmp_path / f"net{suffix}", **options)
    assert result.builtin_only
    assert result.parity.equal_labels >= 0.9999
    assert result.bytes == result.path.stat().st_size
    written = json.loads(Path(f"{result.path}.json").read_text())
    assert written == json.loads(json.dumps(result.metadata))
    parity = written.pop("parity")
    assert parity["min_agreement"] == 0.999
    assert written == inner_metadata(result.path)
    assert written["class_names"] == NAMES
    assert written["palette"] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert tuple(written["output"].values()) == output
    batch = options.get("batch", 1 if suffix == ".tflite" else None)
    assert written["input"] == {
        "height": shape[1],
        "width": shape[2],
        "batch": batch,
        "dtype": "uint8" if "uint8_input" in options else "float32",
        "layout": "NHWC",
        "range": "RGB 0-255",
    }
    assert open_segmenter(result.path).inference_size == (45, 61)
    sides, *dtypes = ends(result.path)
    assert sides == [batch, *shape[1:], 3]
    assert dtypes == [written["input"]["dtype"], output[1]]
    assert result.opset == (17 if suffix == ".onnx" else None)


@pytest.mark.slow
def test_saved_model_answers_without_this_package(model, tmp_path: Path):
    result = export(model, tmp_path / "net", batch=1)
    assert result.parity.max_difference < 1e-5
    assert json.loads((tmp_path / "net" / "keras_deeplab.json").read_text())["network"] == "net"
    again = export(model, tmp_path / "net", argmax=True)
    assert again.metadata["output"]["kind"] == "labels"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net"]


def test_atrous_convolutions_are_one_operator(model, tmp_path: Path):
    operators = export(model, tmp_path / "net.tflite").operators
    assert operators["DEPTHWISE_CONV_2D"] == 1
    assert operators["CONV_2D"] == 3
    assert "SPACE_TO_BATCH_ND" not in operators
    # Of the preprocessing; batch norm has none left.
    assert operators["MUL"] == operators["ADD"] == 1
    assert export(model, tmp_path / "net.onnx").operators["Conv"] == 4


def test_resize_keeps_its_grid(model, tmp_path: Path):
    file = schema(export(model, tmp_path / "net.tflite").path)
    resizes = [
        operator.builtinOptions
        for operator in file.subgraphs[0].operators
        if type(operator.builtinOptions).__name__ == "ResizeBilinearOptionsT"
    ]
    assert [(r.alignCorners, r.halfPixelCenters) for r in resizes] == [(True, False)]


@pytest.mark.parametrize("size", [None, (32, 47)])
def test_int8(model, photos: Path, size, tmp_path: Path):
    options = dict(quantize="int8", representative_data=photos, input_size=size, uint8_input=True)
    result = export(model, tmp_path / "net.tflite", output_dtype="int8", **options)
    assert result.parity.relative_difference < 0.05
    assert result.parity.images == 3
    tensors = schema(result.path).subgraphs[0].tensors
    int8, uint8 = 9, 3
    inputs, outputs = (
        schema(result.path).subgraphs[0].inputs,
        schema(result.path).subgraphs[0].outputs,
    )
    assert (tensors[inputs[0]].type, tensors[outputs[0]].type) == (uint8, int8)
    assert tensors[inputs[0]].quantization.scale == pytest.approx([1.0])
    assert tensors[inputs[0]].quantization.zeroPoint.tolist() == [0]
    assert not [tensor.name for tensor in tensors if tensor.type == 0]
    labels = export(model, tmp_path / "labels.tflite", argmax=True, **options)
    assert labels.parity.equal_labels > 0.9


def test_quantised_weights_are_smaller(tmp_path: Path):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(64, 3, padding="same")(x)
    model = keras.Model(image, keras.layers.Conv2D(3, 1)(x))
    sizes = {
        quantize: export(model, tmp_path / f"{quantize}.tflite", quantize=quantize).bytes
        for quantize in (None, "float16", "dynamic")
    }
    assert sizes["float16"] < 0.6 * sizes[None]
    assert sizes["dynamic"] < 0.4 * sizes[None]


def test_equal_vectors_are_stored_once(tmp_path: Path):
    image = keras.Input((9, 9, 3))
    x = image
    for _ in range(4):
        x = keras.layers.Conv2D(256, 1)(x)
    model = keras.Model(image, x)
    content = tflite_export.convert(
        lambda image: model(image),
        tf.TensorSpec((1, 9, 9, 3), name="image"),
        quantize="int8",
        calibration=lambda: [np.random.default_rng(0).uniform(0, 255, (1, 9, 9, 3)).astype("f")],
        uint8_input=False,
        output_dtype=None,
    )
    metadata = {
        "format_version": 1,
        "network": "net",
        "class_names": ["a", "b"],
        "inference_size": [9, 9],
        "input": {"height": 9, "width": 9, "range": "RGB 0-255"},
        "output": {"kind": "logits"},
    }
    smaller = tflite_export.finished(content, metadata)
    # Eight bytes of zero point per channel, of kernels and biases.
    assert len(content) - len(smaller) > 7 * 256 * 8 * 0.9
    for name, data in (("a.tflite", content), ("b.tflite", smaller)):
        (tmp_path / name).write_bytes(data)
    x = np.random.default_rng(1).uniform(0, 255, (1, 9, 9, 3)).astype("f")
    first, second = (RUNTIMES["tflite"](tmp_path / f"{name}.tflite", [x])[0] for name in "ab")
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["net.tflite", "net.onnx"])
def test_mixed_precision_is_exported_in_float32(name: str, tmp_path: Path, rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = network()
    finally:
        keras.config.set_dtype_policy("float32")
    full = network()
    full.set_weights(mixed.get_weights())
    path = export(mixed, tmp_path / name).path
    image = rng.uniform(0, 255, (1, 33, 40, 3)).astype("float32")
    (result,) = RUNTIMES[path.suffix[1:]](path, [image])
    np.testing.assert_allclose(result, full(image), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net.tflite", "net.onnx", "net"])
def test_crf_of_the_model(name: str, tmp_path: Path):
    model = network(size=(24, 30), crf=True)
    result = export(model, tmp_path / name)
    assert result.builtin_only
    assert result.parity.relative_difference < 1e-3
    assert result.metadata["crf"]
    assert (result.parity.exact_crf_labels is None) == (name == "net")


@pytest.mark.slow
def test_crf_on_request(tmp_path: Path):
    result = export(network(activation="softmax"), tmp_path / "net", crf="v2_vgg16")
    assert result.metadata["output"]["kind"] == "probabilities"
    assert result.parity.relative_difference < 1e-3


def test_too_few_equal_labels_leave_the_file_as_it_was(model, tmp_path: Path, monkeypatch):
    path = tmp_path / "net.tflite"
    path.write_text("a good file")
    run = RUNTIMES["tflite"]

    def reversed_scores(path: Path, images: list) -> list:
        return [result[..., ::-1] for result in run(path, images)]

    monkeypatch.setitem(RUNTIMES, "tflite", reversed_scores)
    with pytest.raises(ValueError, match=r"99.9% of the pixels. Received: .*not written"):
        export(model, path)
    assert path.read_text() == "a good file"
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]
    assert export(model, path, min_agreement=0).parity.equal_labels < 0.999
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.tflite", "net.tflite.json"]


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("net.keras", {}, "must end in .tflite or .onnx"),
        ("net.onnx", dict(format="tflite"), "must end in .tflite for format='tflite'"),
        ("net.tflite", dict(format="saved_model"), "must be a folder"),
        ("net.tflite", dict(format="tf_lite"), "Did you mean 'tflite'"),
        ("net.tflite", dict(quantize="int4"), "quantize must be one of"),
        ("net.tflite", dict(quantize="int8"), "must come with representative_data"),
        ("net.onnx", dict(quantize="float16"), "quantize must come with format='tflite'"),
        ("net.tflite", dict(representative_data="gone"), "existing folder of photos"),
        ("net.tflite", dict(representative_data=[]), "must hold photos"),
        ("net.tflite", dict(representative_data=3), "folder, or an iterable"),
        ("net.tflite", dict(argmax=True, softmax=True), "exclude each other"),
        ("net.tflite", dict(argmax=True, output_dtype="float32"), "one of 'uint8', 'int32'"),
        ("net.tflite", dict(output_dtype="int8"), "output_dtype must be one of 'float32'"),
        ("net.tflite", dict(input_size=0), "input_size must be at least 1"),
        ("net.tflite", dict(input_size=(1, 2, 3)), r"must be \(height, width\)"),
        ("net.tflite", dict(batch=0), "batch must be at least 1"),
        ("net.tflite", dict(crf="v3"), "crf must be one of"),
        ("net.tflite", dict(crf="v1", quantize="dynamic"), "must be calculated in floats"),
        ("net.tflite", dict(class_names=["one"]), "must name the model's 3 classes"),
        ("net.tflite", dict(min_agreement=99), "between 0 and 1"),
        ("net.onnx", dict(opset=9), "opset must be one of"),
        ("file/net.tflite", {}, "must be one that can be made"),
        ("folder.tflite", {}, "must be a file"),
        ("other", {}, "folder of other files"),
        ("file", {}, "Received: the file"),
    ],
)
def test_errors(model, path: str, options: dict, words: str, tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ValueError, TypeError, OSError), match=words):
        export(model, tmp_path / path, **options)
    assert sorted(tmp_path.rglob("*")) == before


def test_models_that_cannot_be_exported(tmp_path: Path):
    image = keras.Input((8, 8, 3))
    classifier = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    with pytest.raises(ValueError, match="must be a segmentation network"):
        export(classifier, tmp_path / "net.tflite")
    with pytest.raises(TypeError, match=r"keras.models.load_model"):
        export("net.keras", tmp_path / "net.tflite")
    with pytest.raises(ValueError, match="the model's own, where that is fixed"):
        export(network(size=(24, 30)), tmp_path / "net.tflite", input_size=(24, 31))
    with pytest.raises(ValueError, match="Leave crf out"):
        export(network(crf=True), tmp_path / "net.tflite", crf="v1")
    bare = keras.Model(
        image, SegmentationOutput(NAMES)(keras.layers.Conv2D(3, 1, name="upsampling")(image))
    )
    with pytest.raises(ValueError, match="include_preprocessing=False"):
        export(bare, tmp_path / "net.tflite", uint8_input=True)
    assert export(bare, tmp_path / "net.tflite").metadata["input"]["range"] == "RGB -1 to 1"
