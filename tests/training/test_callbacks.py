from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab.training.callbacks import (
    EpochLog,
    RunProgress,
    StopOnNaN,
    averaged_weights,
    duration_text,
    read_log,
)


def fit(model: keras.Model, targets, callbacks=(), epochs: int = 1) -> None:
    x = np.ones((4, 2), "float32")
    model.fit(x, targets, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)


def dense(**options) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, **options), "mse")
    return model


def test_a_loss_that_is_no_number_stops_with_words():
    with pytest.raises(FloatingPointError, match=r"must stay finite.*nan at batch 1.*check-data"):
        fit(dense(), np.full((4, 1), np.nan), [StopOnNaN()])
    fit(dense(), np.ones((4, 1)), [StopOnNaN()])


def test_the_first_step_is_announced(capsys):
    model, x = dense(), np.ones((4, 2), "float32")
    for verbose in (0, 2):
        options = dict(epochs=3, verbose=verbose, callbacks=[RunProgress(start=0)])
        model.fit(x, np.ones((4, 1)), **options)
        out = capsys.readouterr().out
        assert out.count("Compiling the first training step") == (verbose > 0)
        assert out.count("of 3 epochs done; ") == 2 * (verbose > 0)


def test_the_time_left_is_that_of_the_run(capsys, monkeypatch):
    clock = iter([0.0, 200.0, 300.0])
    monkeypatch.setattr("keras_deeplab.training.callbacks.time.monotonic", lambda: next(clock))
    progress = RunProgress(start=4)
    progress.set_params({"epochs": 40, "verbose": 1})
    progress.on_train_begin()
    for epoch in (4, 5, 6):
        progress.on_epoch_begin(epoch)
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first == "5 of 40 epochs done; 3 min so far, less than 1 h 57 min left"
    # The first epoch, which includes compiling, does not count any more.
    assert second == "6 of 40 epochs done; 5 min so far, about 57 min left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (7199, "2 h 00 min")]
)
def test_durations(seconds: float, text: str):
    assert duration_text(seconds) == text


def test_averages_go_in_and_out_exactly():
    model = dense(use_ema=True, ema_momentum=0.5)
    fit(model, np.zeros((4, 1)))
    model.optimizer.use_ema = True
    x, y = np.ones((2, 2), "float32"), np.ones((2, 1), "float32")
    model.train_on_batch(x, y)
    raw = [weight.copy() for weight in model.get_weights()]
    average = [np.asarray(v) for v in model.optimizer._model_variables_moving_average]
    with averaged_weights(model):
        for inside, expected in zip(model.get_weights(), average, strict=True):
            np.testing.assert_array_equal(inside, expected)
        assert any((a != b).any() for a, b in zip(model.get_weights(), raw, strict=True))
    for outside, expected in zip(model.get_weights(), raw, strict=True):
        np.testing.assert_array_equal(outside, expected)


def test_without_averages_nothing_changes():
    model = dense()
    fit(model, np.zeros((4, 1)))
    with averaged_weights(model):
        pass


def test_log_drops_what_came_after_the_checkpoint(tmp_path: Path):
    path = tmp_path / "log.csv"
    fit(dense(), np.zeros((4, 1)), [EpochLog(path, start=0)], epochs=3)
    rows = read_log(path)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[0]["learning_rate"] == pytest.approx(0.1)
    model = dense()
    x = np.ones((4, 2), "float32")
    model.fit(
        x, np.zeros((4, 1)), initial_epoch=2, epochs=3, verbose=0,
        callbacks=[EpochLog(path, start=2)],
    )  # fmt: skip
    again = read_log(path)
    assert [row["epoch"] for row in again] == [1, 2, 3]
    assert again[:2] == rows[:2]
    assert again[2] != rows[2]
