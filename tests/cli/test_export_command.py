import json
from pathlib import Path

import pytest
from PIL import Image

from keras_deeplab.cli import main
from tests.exports.test_exporter import network

pytest.importorskip("tensorflow")


@pytest.fixture
def folder(tmp_path: Path, rng, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a saved model and photos."""
    monkeypatch.chdir(tmp_path)
    network().save("net.keras")
    Path("exported.tflite").touch()
    Path("text.keras").write_text("not a network")
    Path("photos").mkdir()
    for index in range(2):
        array = rng.integers(0, 256, (40, 30, 3), "uint8")
        Image.fromarray(array).save(f"photos/{index}.png")
    return tmp_path


def test_prints_a_table(folder: Path, capsys: pytest.CaptureFixture[str]):
    quantized = ["--quantize", "int8", "--calibrate", "photos", "--uint8", "--argmax"]
    options = ["--size", "33x40", "--min-agreement", "0.5", "--out", "out/net.tflite"]
    assert main(["export", "--model", "net.keras", *quantized, *options]) == 0
    out = capsys.readouterr().out
    assert "out/net.tflite" in out
    assert "labels equal" in out
    assert "33x40" in out
    assert "all builtin" in out
    metadata = json.loads(Path("out/net.tflite.json").read_text())
    assert metadata["input"]["dtype"] == metadata["output"]["dtype"] == "uint8"


def test_name_comes_from_the_network(folder: Path):
    assert main(["export", "--model", "net.keras", "--format", "onnx"]) == 0
    assert Path("net.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "gone.keras"], "must be an existing file"),
        (["--model", "photos/0.png"], "must be a .keras file"),
        (
            ["--model", "net.keras", "--quantize", "int8"],
            "must come with representative_data (on the shell, --cal",
        ),
        (["--model", "net.keras", "--size", "1x2x3"], "must be PIXELS or HEIGHTxWIDTH"),
        (["--model", "net.keras", "--size", "own"], "must be PIXELS or HEIGHTxWIDTH"),
        (["--model", "net.keras", "--output-stride", "8"], "a model that DeepLab() built"),
        (["--model", "net.keras", "--calibrate", "gone"], "--calibrate) must be an existing"),
        (["--model", "exported.tflite", "--format", "onnx"], "exported.tflite"),
        (["--model", "text.keras"], "must be a valid Keras model"),
        (["--model", "net.keras", "--out", "photos"], "folder of other files"),
    ],
)
def test_errors(folder: Path, arguments: list[str], words: str, capsys):
    assert main(["export", *arguments]) == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("keras-deeplab: error: ")
    assert words in line


def test_too_few_equal_labels_fail(folder: Path, monkeypatch, capsys):
    from keras_deeplab.exports import RUNTIMES

    run = RUNTIMES["tflite"]
    monkeypatch.setitem(
        RUNTIMES, "tflite", lambda path, images: [x[..., ::-1] for x in run(path, images)]
    )
    assert main(["export", "--model", "net.keras"]) == 1
    assert "net.tflite was not written" in capsys.readouterr().err
    assert not Path("net.tflite").exists()


def test_a_model_repository_of_triton(folder: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["export", "--model", "net.keras", "--triton"]
    assert main([*arguments, "--format", "onnx"]) == 0
    assert "triton/net/config.pbtxt" in capsys.readouterr().out
    files = {path.relative_to("triton").as_posix() for path in Path("triton").rglob("*.*")}
    assert files == {"net/config.pbtxt", "net/1/model.onnx", "net/1/model.onnx.json"}
    assert main([*arguments, "--format", "tflite"]) == 1
    assert "--triton must come with --format onnx" in capsys.readouterr().err
