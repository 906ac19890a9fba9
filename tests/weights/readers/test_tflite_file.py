from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.weights.readers.naming import layer_of
from keras_deeplab.weights.readers.tf_slim import SCOPES
from keras_deeplab.weights.readers.tflite_file import convert_tflite
from tests.reference.tflite_writer import slim_scope, write_tflite


@pytest.fixture
def layers(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        "stem": (rng.integers(0, 256, (3, 3, 3, 8)), rng.integers(-99, 99, 8)),
        "block_0_depthwise": (rng.integers(0, 256, (3, 3, 8, 1)), rng.integers(-99, 99, 8)),
        "classifier": (rng.integers(0, 256, (1, 1, 8, 21)), rng.integers(-99, 99, 21)),
    }


def test_values_and_layouts(tmp_path: Path, layers):
    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(layers))
    weights = convert_tflite(path)
    assert len(weights) == 6
    for layer, (kernel, bias) in layers.items():
        assert weights[f"{layer}/kernel"].dtype == np.float32
        np.testing.assert_array_equal(weights[f"{layer}/kernel"], 0.5 * (kernel - 3.0))
        np.testing.assert_array_equal(weights[f"{layer}/bias"], 0.25 * bias)


def test_every_constant_is_accounted_for(tmp_path: Path, layers):
    path = tmp_path / "net.tflite"
    path.write_bytes(write_tflite(layers, extra=True))
    with pytest.raises(ValueError, match=r"unused tensors \['stray'\]"):
        convert_tflite(path)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
def test_cut_files_are_named(tmp_path: Path, layers, share: float):
    content = write_tflite(layers)
    path = tmp_path / "net.tflite"
    path.write_bytes(content[: max(9, int(share * len(content)))])
    with pytest.raises(ValueError, match=r"damaged or cut short. Received: .*net\.tflite"):
        convert_tflite(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="TFLite file carries 'TFL3'"):
        convert_tflite(path)


def test_missing_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        convert_tflite(tmp_path / "none.tflite")


def test_another_network_is_refused(published_weights: Path):
    with pytest.raises(ValueError, match="Received"):
        convert_tflite(published_weights / "tf2_mobilenet_v2_1.0_224_ptq.tflite")


@pytest.mark.parametrize("layer", ["stem", "block_0_project", "block_16_expand", "aspp_projection"])
def test_layer_names_are_the_inverse_of_scopes(layer: str):
    assert layer_of(slim_scope(layer), SCOPES) == layer


def test_foreign_scopes_are_refused(tmp_path: Path, layers):
    path = tmp_path / "net.tflite"
    content = write_tflite(layers)
    path.write_bytes(content.replace(b"MobilenetV2/expanded", b"MobilenetV5/expanded"))
    with pytest.raises(ValueError, match=r"Xception backbone. Received: .*V5/.* in .*net\.tflite"):
        convert_tflite(path)


def test_equals_what_the_interpreter_reads(published_weights: Path):
    """LiteRT's own reader on the published file."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = published_weights / "deeplabv3_mnv2_dm05_pascal_quant.tflite"
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    details = {d["name"]: d for d in interpreter.get_tensor_details()}
    weights = convert_tflite(path)
    name = next(n for n in details if "expanded_conv_9/expand/weights_quant" in n)
    scale, zero_point = details[name]["quantization"]
    stored = interpreter.get_tensor(details[name]["index"]).astype("float64")
    expected = ((stored - zero_point) * scale).transpose(1, 2, 3, 0)
    np.testing.assert_allclose(weights["block_9_expand/kernel"], expected, rtol=1e-6)
