import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.cli import main
from keras_deeplab.presets.recipes import RECIPES
from tests.training.test_run import write_squares


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with pictures, and a recipe that is over soon."""
    monkeypatch.chdir(tmp_path)
    row = dataclasses.replace(RECIPES["fine_tune"], epochs=1, batch_size=2, crop_size=(33, 33))
    monkeypatch.setitem(RECIPES, "fine_tune", row)


def train(*arguments: str, weights: str = "net.tflite") -> int:
    options = ("--model", weights, "--backbone", "mobilenet_v2_050", "--out", "run")
    return main(["train", *options, *arguments])


def test_from_a_folder_to_a_network(small_presets, capsys):
    DeepLab(backbone="vgg16", classes=3).save("net.keras")
    command = ["train", "--model", "net.keras", "--data", "photos", "--out", "run"]
    write_squares(Path("photos"), 6)
    Path("photos/classes.txt").write_text("dark\nbright\n")
    assert main(command) == 0
    out = capsys.readouterr().out
    assert (
        "photos: read as images and masks, 2 classes: dark, bright\n5 images to train on, 1 to"
        in out
    )
    assert "Next: keras-deeplab segment PHOTO --model run/best.keras" in out
    assert main(["segment", "photos/images/0.png", "--model", "run/best.keras"]) == 0
    assert "photos/images/0.png: " in capsys.readouterr().out
    # Done is done.
    assert main(command) == 0
    assert "Building the network" in capsys.readouterr().out
    # Other settings are refused before the network is built.
    assert main([*command, "--learning-rate", "0.1", "--seed", "1"]) == 1
    out, err = capsys.readouterr()
    assert "Building the network" not in out
    assert "run must be empty or hold a run of the same settings" in err
    assert "differs in learning_rate, seed." in err


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[keras.Model, dict[str, Any]]]:
    """Networks as they would be trained, and the options, in place of training."""
    calls: list[tuple[keras.Model, dict[str, Any]]] = []

    def start(model: keras.Model, *_: object, **options: Any) -> SimpleNamespace:
        calls.append((model, options))
        return SimpleNamespace(
            best="best.keras", folder=Path("run"), best_mean_iou=0.0, best_epoch=1
        )

    monkeypatch.setattr("keras_deeplab.training.train", start)
    return calls


def test_interrupted_it_says_how_to_resume(network_file: Path, starts, monkeypatch, capsys):
    def stop(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    write_squares(Path("photos"), 3)
    monkeypatch.setattr("keras_deeplab.training.train", stop)
    assert train("--data", "photos") == 130
    assert "The same command resumes" in capsys.readouterr().err


def test_a_seed_gives_the_same_new_layers_again(network_file: Path, starts):
    write_squares(Path("photos"), 3)
    for seed in ("1", "1", "2"):
        assert train("--data", "photos", "--seed", seed) == 0
    first, second, other = (np.asarray(x.get_layer("classifier").kernel) for x, _ in starts)
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(("text", "size"), [("65", (65, 65)), ("33x65", (33, 65))])
def test_crops_have_the_size_asked_for(
    network_file: Path, starts, text: str, size: tuple[int, int]
):
    write_squares(Path("photos"), 3)
    assert train("--data", "photos", "--crop-size", text) == 0
    assert starts[0][1]["crop_size"] == size


def test_splits_are_found(network_file: Path, starts, capsys):
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        write_squares(Path("photos") / split, count)
    assert train("--data", "photos", "--class-names", "dark,bright", "--seed", "3") == 0
    assert "3 images to train on, 2 to measure on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "gone"], "must be a folder. Received: 'gone'"),
        (["--data", "photos", "--epochs", "0"], "epochs must be at least 1"),
        (["--data", "photos", "--split", "night"], "night"),
        (["--data", "photos", "--crop-size", "wide"], "--crop-size must be PIXELS or HEIGHTxWIDTH"),
        (["--data", "photos", "--model", "vok"], "Did you mean 'voc'"),
        (["--data", "photos", "--class-weights", "1"], "class_weights"),
    ],
)
def test_errors_are_one_line(network_file: Path, capsys, arguments, words: str):
    write_squares(Path("photos"), 3)
    assert train(*arguments) == 1
    err = capsys.readouterr().err
    assert "keras-deeplab: error: " in err
    assert words in err
    assert "Traceback" not in err


def test_an_unreadable_photo_is_named_before_training(network_file: Path, capsys):
    write_squares(Path("photos"), 3)
    photo = Path("photos/images/1.png")
    photo.write_bytes(photo.read_bytes()[:300])
    assert train("--data", "photos") == 1
    assert "photos/images/1.png" in capsys.readouterr().err
    assert not Path("run/best.keras").exists()
