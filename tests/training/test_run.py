"""A run from beginning to end, on pictures of bright squares."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DeepLab, open_segmenter
from keras_deeplab.data.formats import read_folder
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.models.blocks import ConvOptions, conv_bn, normalize_image
from keras_deeplab.models.heads.output import segmentation_output
from keras_deeplab.presets.recipes import RECIPES
from keras_deeplab.training import train
from keras_deeplab.training.callbacks import read_log
from tests.reference.matrices import matrix
from tests.reference.small_presets import shrunk_presets

ROOT = Path(__file__).parents[2]
SMALL = dict(batch_size=4, size=40, crop_size=(33, 33), photometric=False, pictures=1, verbose=0)


def write_squares(folder: Path, count: int = 8, seed: int = 0) -> Path:
    """Dark pictures with a bright square, which is class 1."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        image = rng.integers(0, 60, (40, 40, 3), "uint8")
        mask = np.zeros((40, 40), "uint8")
        top, left = rng.integers(0, 20, 2)
        image[top : top + 18, left : left + 18] += 180
        mask[top : top + 18, left : left + 18] = 1
        Image.fromarray(image).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> SegmentationFiles:
    folder = write_squares(tmp_path_factory.mktemp("squares"))
    return read_folder(folder, class_names=["dark", "bright"])


def network(classes: int = 2, activation: str | None = None, dropout: float = 0.2) -> keras.Model:
    """A network that is traced in no time, with all that a run has to keep."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = normalize_image(image, "tf")
    x = conv_bn(
        x,
        8,
        3,
        stride=2,
        options=ConvOptions("trainable" if dropout else "folded"),
        name="stem",
    )
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Conv2D(classes, 3, padding="same", name="classifier")(x)
    names = ("dark", "bright", "none")[:classes]
    x = segmentation_output(
        x, image, class_names=names, align_corners=False, crf=None, activation=activation
    )
    return keras.Model(image, x, name="tiny")


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_log(folder / "log.csv")]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """Three epochs at one go."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    model = network()
    return model, train(model, data, folder, validation_data=data, epochs=3, **SMALL)


def test_a_run_leaves_its_files(run, data):
    model, result = run
    names = {path.name for path in result.folder.iterdir()}
    assert {"best.keras", "last.keras", "log.csv", "run.json", "checkpoints", "pictures"} <= names
    assert not any(".part." in name for name in names)
    assert [row["epoch"] for row in result.log] == [1, 2, 3]
    measured = [row["val_mean_iou"] for row in result.log]
    assert result.best_mean_iou == pytest.approx(max(measured), abs=1e-6)
    assert measured[result.best_epoch - 1] == max(measured)
    with Image.open(result.folder / "pictures" / "epoch_003.png") as sheet:
        assert sheet.size[0] == 3 * 204
    with Image.open(result.folder / "curves.png") as curves:
        assert curves.size == (1200, 340)
    last = keras.models.load_model(result.folder / "last.keras")
    for saved, own in zip(last.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, own)
    assert last.get_layer("output").class_names == data.class_names


def test_the_step_is_traced_once(data, tmp_path: Path):
    traces = []

    class Watched(CrossEntropy):
        def call(self, y_true, y_pred):
            traces.append(y_pred)
            return super().call(y_true, y_pred)

    train(network(), data, tmp_path, loss=Watched(), epochs=2, **SMALL)
    assert len(traces) == 1


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(run, data, tmp_path: Path):
    """The last epoch's losses and weights are those of the run at one go."""
    model, whole = run

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if len(losses(tmp_path / "run")) == 2:
                raise KeyboardInterrupt

    options = dict(validation_data=data, epochs=3, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        train(network(), data, tmp_path / "run", callbacks=[Interrupt()], **options)
    assert not (tmp_path / "run" / "last.keras").exists()
    other = network()
    other.get_layer("classifier").kernel.assign_add(keras.ops.ones((3, 3, 8, 2)))
    again = train(other, data, tmp_path / "run", **options)
    assert losses(again.folder) == pytest.approx(losses(whole.folder), rel=1e-5)
    for one, two in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


def test_a_finished_run_is_left_alone(run, data):
    _, whole = run
    before = (whole.folder / "last.keras").stat().st_mtime_ns
    result = train(network(), data, whole.folder, validation_data=data, epochs=3, **SMALL)
    assert result.best_epoch == whole.best_epoch
    assert (whole.folder / "last.keras").stat().st_mtime_ns == before


def test_killed_before_its_last_file_a_run_makes_it_up(data, tmp_path: Path):
    options = dict(epochs=1, **SMALL)
    first = network()
    train(first, data, tmp_path, **options)
    (tmp_path / "last.keras").unlink()
    train(network(), data, tmp_path, **options)
    last = keras.models.load_model(tmp_path / "last.keras")
    for saved, own in zip(last.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_allclose(saved, own, rtol=1e-6)


def test_a_finished_run_can_have_more_epochs(data, tmp_path: Path, caplog):
    train(network(), data, tmp_path, epochs=1, **SMALL)
    result = train(network(), data, tmp_path, epochs=2, **SMALL)
    assert [row["epoch"] for row in result.log] == [1, 2]
    assert "resumes after epoch 1 of 2, with the learning rate" in caplog.text
    # One half of the way down the schedule of two epochs; then its end.
    recipe = json.loads((tmp_path / "run.json").read_text())["recipe"]
    assert recipe["epochs"] == 2
    assert result.log[-1]["learning_rate"] < 1e-6
    train(network(), data, tmp_path, epochs=2, **SMALL)
    assert "is complete after 2 epochs" in caplog.text
    with pytest.raises(ValueError, match="differs in epochs.*Only the number of epochs may grow"):
        train(network(), data, tmp_path, epochs=1, **SMALL)


def test_another_run_is_not_overwritten(run, data):
    _, whole = run
    with pytest.raises(ValueError, match=r"differs in learning_rate\. Only the number of epochs"):
        train(network(), data, whole.folder, epochs=3, learning_rate=0.5, **SMALL)


@pytest.mark.slow
def test_killed_at_any_moment_the_run_stays_readable(tmp_path: Path):
    """kill -9, at moments spread over the run, until it comes through."""
    write_squares(tmp_path / "data")
    code = (
        "from pathlib import Path\n"
        "from tests.training.test_run import SMALL, network, read_folder, train\n"
        "data = read_folder('data')\n"
        "Path('ready').write_text('')\n"
        "train(network(), data, 'run', epochs=4, **SMALL)\n"
        "Path('done').write_text('')\n"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    epochs = [0]
    for _ in range(8):
        (tmp_path / "ready").unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
        reached = epochs[-1] + 2
        # The checkpoint of an epoch is being written, or has just been.
        wanted = tmp_path / "run" / "checkpoints" / f"epoch_{reached:06d}.part.npz"
        while process.poll() is None:
            if wanted.exists() or wanted.with_name(f"epoch_{reached:06d}.npz").exists():
                process.kill()
            time.sleep(0.002)
        process.wait()
        if (tmp_path / "done").exists():
            break
        assert process.returncode == -9
        epochs.append(len(losses(tmp_path / "run")))
    assert (tmp_path / "done").exists()
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]
    assert len(losses(tmp_path / "run")) == 4
    keras.models.load_model(tmp_path / "run" / "best.keras")


def test_patience_ends_a_run(data, tmp_path: Path):
    options = dict(validation_data=data, epochs=9, patience=2, learning_rate=1e-9, ema=0.0, **SMALL)
    result = train(network(), data, tmp_path, **options)
    assert len(result.log) == result.best_epoch + 2
    assert train(network(), data, tmp_path, **options).log == result.log


def test_measuring_now_and_then(data, tmp_path: Path):
    result = train(
        network(), data, tmp_path, validation_data=data, epochs=5, validate_every=2, **SMALL
    )
    assert ["val_mean_iou" in row for row in result.log] == [False, True, False, True, True]
    assert result.best_epoch in (2, 4, 5)


def test_without_validation_the_last_is_the_best(data, tmp_path: Path):
    result = train(network(), data, tmp_path, epochs=2, **SMALL)
    assert result.best_epoch == 2
    assert np.isnan(result.best_mean_iou)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("v1", dict(version="v1")),
        ("v2_resnet101", dict(version="v2", backbone="resnet101", multi_scale_inputs=(0.5, 1.0))),
    ],
)
def test_recipes_of_the_papers(data, tmp_path: Path, recipe: str, options: dict):
    with shrunk_presets():
        model = DeepLab(classes=data.class_names, **options)
    small = {**SMALL, "batch_size": 2, "learning_rate": 1e-3}
    result = train(
        model, data, tmp_path, recipe=recipe, validation_data=data.subset([0, 1]), epochs=1, **small
    )
    assert np.isfinite(result.best_mean_iou)
    assert result.best_epoch == 1
    if recipe == "v2_resnet101":
        # One loss per scale, and one on their maximum.
        parts = [result.log[0][f"scores_{name}_loss"] for name in ("050", "100", "max")]
        assert result.log[0]["loss"] == pytest.approx(sum(parts), rel=1e-3)


def test_accumulated_batches_are_one_large_batch(data, tmp_path: Path):
    """Without batch norm, two batches of two are a batch of four."""
    options = dict(
        optimizer="sgd", scales=None, flip=False, weight_decay=0.0, epochs=1, ema=0.0,
        warmup_steps=0, schedule="step", check=False, **{**SMALL, "crop_size": (40, 40)},
    )  # fmt: skip
    one, two = network(dropout=0), network(dropout=0)
    train(one, data, tmp_path / "one", **options)
    train(two, data, tmp_path / "two", accumulate=2, **{**options, "batch_size": 2})
    start = network(dropout=0).get_layer("classifier").get_weights()[0]
    moved = one.get_layer("classifier").get_weights()[0] - start
    assert np.abs(moved).max() > 1e-5
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("policy", matrix(["mixed_float16", "mixed_bfloat16"], "mixed_float16"))
def test_mixed_precision(data, tmp_path: Path, policy: str):
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    result = train(model, data, tmp_path, validation_data=data, epochs=2, **SMALL)
    assert all(np.isfinite(row["loss"]) for row in result.log)
    assert all(weight.dtype == np.float32 for weight in model.get_weights())


def test_plain_keras_in_ten_lines(data):
    from keras_deeplab.data.pipeline import training_batches

    batches = training_batches(data, batch_size=4, crop_size=(33, 33))
    model = network()
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
    )
    history = model.fit(batches, steps_per_epoch=4, epochs=3, shuffle=False, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_a_loss_that_explodes_is_reported(data, tmp_path: Path):
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        train(
            network(), data, tmp_path, optimizer="sgd", learning_rate=1e30, warmup_steps=0,
            epochs=4, **SMALL,
        )  # fmt: skip


def break_file(folder: Path, kind: str) -> None:
    image, mask = folder / "images" / "3.png", folder / "masks" / "3.png"
    if kind == "truncated":
        image.write_bytes(image.read_bytes()[:400])
    elif kind == "size":
        Image.fromarray(np.zeros((9, 9), "uint8")).save(mask)
    else:
        Image.fromarray(np.full((40, 40), 200, "uint8")).save(mask)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("truncated", r"3\.png.*cut short"), ("size", r"3\.png.*9x9"), ("id", r"200.*3\.png")],
)
def test_bad_files_are_named_before_the_first_epoch(tmp_path: Path, kind: str, words: str):
    folder = write_squares(tmp_path / "data", 5)
    break_file(folder, kind)
    data = read_folder(folder, class_names=["dark", "bright"])
    with pytest.raises(ValueError, match=rf"(?s){words}.*'keras-deeplab check-data' looks"):
        train(network(), data, tmp_path / "run", epochs=1, **SMALL)
    assert not (tmp_path / "run" / "log.csv").exists()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (dict(recipe="v4"), ValueError, "recipe must be one of.*'fine_tune'"),
        (dict(epoch=3), TypeError, "Did you mean 'epochs'"),
        (dict(batch_size=0), ValueError, "batch_size must be at least 1"),
        (dict(epochs=0), ValueError, "epochs must be at least 1"),
        (dict(crop_size=(33,)), ValueError, r"crop_size must be \(height, width\)"),
        (dict(optimizer="adam"), ValueError, "Did you mean 'adamw'"),
        (dict(size=0), ValueError, "size must be at least 1"),
        (dict(accumulate=0), ValueError, "accumulate must be at least 1"),
        (dict(class_weights=[1.0]), ValueError, "class_weights must have one weight per class"),
    ],
)
def test_wrong_arguments(data, tmp_path: Path, options: dict, error: type, words: str):
    with pytest.raises(error, match=words):
        train(network(), data, tmp_path, **{**SMALL, **options})


def test_classes_must_fit(data, tmp_path: Path):
    with pytest.raises(ValueError, match=r"a model of 3 and data of 2 .*classes=data.class_names"):
        train(network(classes=3), data, tmp_path, **SMALL)
    with pytest.raises(ValueError, match="must return logits.*'softmax'"):
        train(network(activation="softmax"), data, tmp_path, **SMALL)
    raw = DeepLab(backbone="mobilenet_v2_050", classes=2, include_preprocessing=False)
    with pytest.raises(ValueError, match="must take RGB 0-255.*include_preprocessing=True"):
        train(raw, data, tmp_path, **SMALL)


def test_every_recipe_states_its_source():
    for name, row in RECIPES.items():
        assert row.name == name
        assert row.source
        assert (row.steps > 0) != (row.epochs > 0)
    json.dumps([row.__dict__ for row in RECIPES.values()])


def test_the_model_keeps_the_size_it_was_trained_at(data, tmp_path: Path):
    model = network()
    result = train(model, data, tmp_path / "run", epochs=1, **{**SMALL, "size": (40, 48)})
    for trained in (model, result.best, result.folder / "last.keras"):
        assert open_segmenter(trained).inference_size == (40, 48)
    again = train(model, data, tmp_path / "again", epochs=1, **{**SMALL, "size": None})
    assert open_segmenter(again.best).inference_size == (40, 48)
