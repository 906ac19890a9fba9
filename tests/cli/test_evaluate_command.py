import json
from pathlib import Path

import pytest
from PIL import Image

from keras_deeplab.cli import main
from tests.evaluation.conftest import NAMES, colour_model, picture


@pytest.fixture
def folder(tmp_path: Path, rng, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network and a small dataset of images and masks."""
    monkeypatch.chdir(tmp_path)
    colour_model().save("net.keras")
    for kind in ("images", "masks"):
        (tmp_path / "data" / "val" / kind).mkdir(parents=True)
    for name in "ab":
        image, truth = picture(rng, 20, 30)
        Image.fromarray(image).save(f"data/val/images/{name}.png")
        Image.fromarray(truth).save(f"data/val/masks/{name}.png")
    return tmp_path


def evaluate(*arguments: str, model: str = "net.keras") -> int:
    return main(["evaluate", "--data", "data", "--model", model, "--size", "own", *arguments])


def test_table_and_files(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate() == 0
    out = capsys.readouterr().out
    result = json.loads(Path("evaluated/result.json").read_text())
    assert f"mean IoU{100 * result['mean_iou']:>23.1f} %" in out
    assert f"mean IoU, true classes{100 * result['mean_iou_in_truth']:>9.1f} %" in out
    assert all(name in out for name in NAMES)
    assert Path("evaluated/report.html").is_file()
    assert result["model"] == "net.keras"
    assert len(result["images"]) == 2


def test_json_and_options(folder: Path, capsys: pytest.CaptureFixture[str]):
    options = ("--json", "--limit", "1", "--scales", "0.5", "1", "--flip", "--out", "o", "--crf")
    assert evaluate(*options, "--size", "33x40") == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(Path("o/result.json").read_text())
    assert result["protocol"]["scales"] == [0.5, 1.0]
    assert result["protocol"]["size"] == [33, 40]
    assert result["protocol"]["flip"]
    assert len(result["images"]) == 1
    assert result["crf"]["mean_iou"] is not None


def test_sliding_window(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate("--json") == 0
    plain = json.loads(capsys.readouterr().out)
    assert evaluate("--json", "--sliding-window", "--size", "16") == 0
    assert json.loads(capsys.readouterr().out)["confusion"] == plain["confusion"]


def test_weights_and_output_stride(folder: Path, network_file: Path, capsys):
    options = ("--model", "net.tflite", "--backbone", "mobilenet_v2_050", "--size", "33")
    assert main(["evaluate", "--data", "data", *options, "--output-stride", "8"]) == 0
    assert "mean IoU" in capsys.readouterr().out


def test_submission(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate("--submission", "voc", "--data", "data/val/images") == 1
    assert "must have the 21 classes of PASCAL VOC 2012" in capsys.readouterr().err
    from keras_deeplab.presets.datasets import DATASETS

    colour_model(DATASETS["voc"].class_names).save("voc.keras")
    options = ("--submission", "voc", "--data", "data/val/images", "--out", "server")
    assert evaluate(*options, model="voc.keras") == 0
    assert "2 masks" in capsys.readouterr().out
    masks = Path("server/results/VOC2012/Segmentation/comp6_test_cls")
    assert sorted(file.name for file in masks.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "gone.onnx"], "network's file must exist. Received: 'gone.onnx'"),
        (["--size", "big"], "--size must be PIXELS, HEIGHTxWIDTH or own. Received: 'big'"),
        (["--size", "0"], "size must be at least 1"),
        (["--data", "gone"], "gone"),
        (["--output-stride", "8"], "must hold a model that DeepLab() built"),
        (["--limit", "0"], "limit must be at least 1"),
        (["--scales", "99"], "scales must be one or more factors"),
        (["--dataset", "camvid"], "must have the network's classes"),
        (["--split", "test"], "test"),
    ],
)
def test_errors_are_one_line_and_exit_1(folder: Path, capsys, arguments, words: str):
    assert evaluate(*arguments) == 1
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_model_or_weights(folder: Path):
    with pytest.raises(SystemExit, match="2"):
        evaluate("--weights", "voc")
