"""What a run's folder knows, and what goes wrong while a run is in it."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DeepLab
from keras_deeplab.data.formats import read_folder
from keras_deeplab.training import train
from keras_deeplab.training.callbacks import BestCheckpoint, read_log
from keras_deeplab.training.run_folder import check_run, network_settings, open_folder
from tests.training.test_run import SMALL, network, write_squares

NAMES = ["dark", "bright"]
USUAL = dict(recipe="fine_tune", size=None, class_weights=None, accumulate=1, seed=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


def test_weights_that_are_no_numbers_are_not_saved(folder: Path, tmp_path: Path):
    data = read_folder(folder, class_names=NAMES)
    settings = SMALL | dict(batch_size=8)  # one step an epoch: its loss is finite
    train(network(), data, tmp_path / "run", validation_data=data, epochs=1, **settings)
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.keras")}
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(
        FloatingPointError, match=r"weights must stay finite.*val_loss.* after epoch 1\."
    ):
        train(
            network(),
            data,
            tmp_path / "run",
            validation_data=data,
            epochs=2,
            learning_rate=1e38,
            **settings,
        )
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.keras")} == kept


def test_a_measure_that_is_no_number_is_never_the_best(tmp_path: Path):
    model = network()
    model.compile("sgd", "mse")
    keeper = BestCheckpoint(model, tmp_path, monitor="val_mean_iou", best=(-math.inf, 0))
    keeper.set_model(model)
    keeper.on_epoch_end(0, {"val_mean_iou": math.nan})
    assert keeper.best == (-math.inf, 0)
    assert not (tmp_path / "best.keras").exists()


def settings_of(folder: Path, model: keras.Model | None = None, **options) -> dict:
    data = read_folder(folder, class_names=NAMES, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    *_, settings = check_run(data, folder, validation_data=data, loss=loss, **USUAL)
    return settings | network_settings(model or network(), data)


def difference(one: dict, other: dict) -> list[str]:
    return [key for key in one if one[key] != other.get(key)]


@pytest.mark.slow
def test_the_settings_know_data_and_network(folder: Path, tmp_path: Path, small_presets):
    usual = settings_of(folder)
    # The same again, in a moved folder and under other automatic names.
    shutil.copytree(folder, tmp_path / "moved")
    assert settings_of(tmp_path / "moved") == usual
    other = write_squares(tmp_path / "other", seed=1)
    assert difference(usual, settings_of(other)) == ["training_data", "validation_data"]
    with next((tmp_path / "moved" / "masks").iterdir()).open("ab") as corrected:
        corrected.write(b"x")
    changed = settings_of(tmp_path / "moved")
    assert difference(usual, changed) == ["training_data", "validation_data"]
    assert difference(usual, settings_of(folder, label_map={1: 0})) == [
        "training_data",
        "validation_data",
    ]
    assert difference(usual, settings_of(folder, network(dropout=0.3))) == ["network"]
    built = settings_of(folder, DeepLab(classes=2))
    assert settings_of(folder, DeepLab(classes=2)) == built
    for options, keys in [
        (dict(batch_norm="frozen"), ["network"]),
        (dict(output_stride=8), ["network"]),
        (dict(backbone="mobilenet_v2_050"), ["model", "network"]),
    ]:
        assert difference(built, settings_of(folder, DeepLab(classes=2, **options))) == keys
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert difference(built, settings_of(folder, DeepLab(classes=2))) == ["network"]
    finally:
        keras.config.set_dtype_policy("float32")


def test_another_run_is_named(folder: Path, tmp_path: Path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "epoch_000001.npz").touch()
    settings = settings_of(folder)
    for content in ("", "[1]", "{", "[" * 100_000):
        (run / "run.json").write_text(content)
        with pytest.raises(ValueError, match=r"must hold the settings of its run.*run\.json"):
            open_folder(run, settings).__enter__()
    # A run of an earlier version, without the new settings, may be resumed.
    (run / "run.json").write_text(json.dumps({"recipe": settings["recipe"]}))
    with open_folder(run, settings):
        pass
    (run / "run.json").write_text(json.dumps(settings | {"training_data": {}}))
    with (
        pytest.raises(ValueError, match=r"differs in training_data\. Only"),
        open_folder(run, settings),
    ):
        pass


def test_a_damaged_log_is_named(tmp_path: Path):
    for content in ("a,b\n1,2\n", "epoch,loss\nx,y\n", "epoch,loss\n1,2,3\n"):
        (tmp_path / "log.csv").write_text(content)
        with pytest.raises(ValueError, match=r"CSV file of numbers.*log\.csv"):
            read_log(tmp_path / "log.csv")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the locks of POSIX")
def test_a_folder_is_for_one_process_at_a_time(folder: Path, tmp_path: Path):
    run = tmp_path / "run"
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from keras_deeplab._files import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)\n"
    )
    run.mkdir()
    other = subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with (
            pytest.raises(ValueError, match=r"one process at a time. Received: .*another"),
            open_folder(run, {"recipe": {}}),
        ):
            pass
        assert not (run / "run.json").exists()
    finally:
        other.kill()
        other.wait()
        assert other.stdout is not None
        other.stdout.close()
    for _ in range(2):  # released with the process, and at the end of the context
        with open_folder(run, {"recipe": {}}):
            assert (run / "run.json").exists()


def test_weights_are_checked_where_nothing_is_validated(tmp_path: Path):
    model = network()
    model.compile("sgd", "mse")
    keeper = BestCheckpoint(model, tmp_path, monitor=None, best=(-math.inf, 0))
    keeper.set_model(model)
    model.get_layer("classifier").bias.assign([0.0, math.inf])
    with pytest.raises(FloatingPointError, match=r"in tiny/classifier/bias|classifier/bias"):
        keeper.on_epoch_end(0, {"loss": 1.0})
    assert not list(tmp_path.iterdir())


def test_a_photo_that_vanishes_during_training_is_named(folder: Path, tmp_path: Path):
    data = read_folder(folder, class_names=NAMES)
    path = data.examples[3].mask

    class Remove(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                path.unlink()

    with pytest.raises(FileNotFoundError, match=rf"must exist. Received: .*{path.name}"):
        train(
            network(),
            data,
            tmp_path / "run",
            epochs=40,
            callbacks=[Remove()],
            **(SMALL | {"pictures": 0}),
        )
    Image.fromarray(np.zeros((40, 40), "uint8")).save(path)
    start = len(read_log(tmp_path / "run" / "log.csv"))
    assert start >= 1


def test_epochs_are_integers_after_a_resumption(folder: Path, tmp_path: Path):
    data = read_folder(folder, class_names=NAMES)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), data, tmp_path / "run", epochs=2, callbacks=[Stop()], **SMALL)
    train(network(), data, tmp_path / "run", epochs=2, **SMALL)
    lines = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]
