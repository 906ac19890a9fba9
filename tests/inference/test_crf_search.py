import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DenseCRF, tune_crf
from keras_deeplab.inference import crf_search as module

AXES = dict(bilateral_weights=(0, 1, 2, 3), theta_alphas=(10, 20, 30), theta_betas=(60, 90))


@pytest.fixture
def examples(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two colours, red under noise: smoothing pays, so weight 0 can't be best."""
    labels = np.zeros((24, 32), "uint8")
    labels[:, 16:] = 1
    photo = np.where(labels[..., None] == 1, (160, 200, 20), (96, 60, 90)).astype("float64")
    photo[..., 0] += rng.normal(0, 40, (24, 32))
    return [(photo.clip(0, 255).astype("uint8"), labels)] * 2


@pytest.fixture
def model() -> keras.Model:
    """Label 1 where red is above 128."""
    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(2, 1)
    model = keras.Model(image, layer(keras.layers.Rescaling(1 / 64, offset=-2.0)(image)))
    layer.set_weights([np.array([[[[-1, 1], [0, 0], [0, 0]]]]), np.zeros(2)])
    return model


def search(model, examples, **options):
    start = DenseCRF(spatial_weight=0.01, theta_gamma=3, num_iterations=2)
    return tune_crf(
        model, examples, start=start, size=(24, 32), progressbar=False, **{**AXES, **options}
    )


def test_finds_what_an_exhaustive_search_would(model, examples):
    result = search(model, examples)
    assert result.mean_iou == max(result.table.values()) > result.mean_iou_without
    assert result.best.bilateral_weight > 0
    assert result.best.num_iterations == 2
    # Coarse: 2 x 2 x 1 settings; fine: the neighbours of the best.
    assert 4 < len(result.table) <= 4 + 27
    assert list(result.table.values()) == sorted(result.table.values(), reverse=True)


def test_an_interrupted_search_goes_on(model, examples, tmp_path: Path, monkeypatch):
    file = tmp_path / "search.json"
    complete = search(model, examples, results=file)
    content = json.loads(file.read_text())
    content["results"] = content["results"][:3]
    file.write_text(json.dumps(content))
    measured = []
    original = module.mean_iou
    monkeypatch.setattr(module, "mean_iou", lambda m: measured.append(1) or original(m))
    again = search(model, examples, results=file)
    assert again == complete
    assert len(measured) == len(complete.table) - 3


def test_wrong_results_files(model, examples, tmp_path: Path):
    file = tmp_path / "search.json"
    file.write_text("{")
    with pytest.raises(ValueError, match="must hold results of tune_crf"):
        search(model, examples, results=file)
    file.unlink()
    search(model, examples, results=file)
    with pytest.raises(ValueError, match="Give another file"):
        search(model, examples[:1], results=file)


def test_wrong_examples(model, examples):
    with pytest.raises(ValueError, match="at least one example"):
        search(model, [])
    with pytest.raises(ValueError, match="must have one size"):
        search(model, [(examples[0][0], np.zeros((3, 3), "uint8"))])
