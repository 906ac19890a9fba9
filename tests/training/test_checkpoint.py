from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab.training.checkpoint import checkpoints, restore_checkpoint, save_checkpoint


def compiled(units: int = 3) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dropout(0.5)]
    )
    model.compile(keras.optimizers.Adam(0.1, use_ema=True), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model: keras.Model, epochs: int = 1) -> list[float]:
    x = np.linspace(-1, 1, 16).reshape(8, 2)
    history = model.fit(x, np.ones((8, 3)), batch_size=4, epochs=epochs, verbose=0, shuffle=False)
    return history.history["loss"]


def test_everything_that_moves_comes_back(tmp_path: Path):
    model = compiled()
    fit(model, 2)
    path = save_checkpoint(tmp_path, model, epoch=2, run={"best": [0.5, 1]})
    expected = fit(model, 2)
    other = compiled()
    assert restore_checkpoint(path, other) == (2, {"best": [0.5, 1]})
    # Dropout's random state included.
    assert fit(other, 2) == expected


def test_the_last_two_are_kept_and_halves_are_not_seen(tmp_path: Path):
    model = compiled()
    (tmp_path / "epoch_000009.part.npz").write_bytes(b"half")
    for epoch in (1, 2, 3, 10):
        save_checkpoint(tmp_path, model, epoch=epoch, run={})
    assert [path.stem for path in checkpoints(tmp_path)] == ["epoch_000003", "epoch_000010"]


def test_another_network_is_refused(tmp_path: Path):
    model = compiled()
    path = save_checkpoint(tmp_path, model, epoch=1, run={})
    with pytest.raises(ValueError, match="must belong to this network and optimizer"):
        restore_checkpoint(path, compiled(units=4))


def test_damaged_files_are_refused(tmp_path: Path):
    model = compiled()
    path = save_checkpoint(tmp_path, model, epoch=1, run={})
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="complete file.*Delete it"):
            restore_checkpoint(path, compiled())
