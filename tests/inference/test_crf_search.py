import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_deeplab import DenseCRF, open_segmenter, segment, tune_crf
from keras_deeplab.inference import crf_search as module
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.metrics import confusion_matrix, mean_iou

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
    settings = {**AXES, "size": (24, 32), **options}
    return tune_crf(model, examples, start=start, progressbar=False, **settings)


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


def test_a_file_with_results_of_other_values(model, examples, tmp_path: Path):
    file = tmp_path / "search.json"
    search(model, examples, results=file)
    others = {**AXES, "bilateral_weights": (0, 5)}
    again = search(model, examples, results=file, **others)
    assert again == search(model, examples, **others)
    assert {weight for weight, _, _ in again.table} == {0, 5}


def test_wrong_results_files(model, examples, tmp_path: Path):
    file = tmp_path / "search.json"
    file.write_text("{")
    with pytest.raises(ValueError, match="must hold results of tune_crf"):
        search(model, examples, results=file)
    file.unlink()
    search(model, examples, results=file)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "results": [[1, 2]]}))
    with pytest.raises(ValueError, match="must hold results of tune_crf"):
        search(model, examples, results=file)
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="Pass another file"):
        search(model, examples[:1], results=file)


def test_wrong_examples(model, examples):
    with pytest.raises(ValueError, match="at least one example"):
        search(model, [])
    with pytest.raises(ValueError, match="must have one size"):
        search(model, [(examples[0][0], np.zeros((3, 3), "uint8"))])


def test_the_size_is_the_one_that_segment_takes(model, examples):
    """Widths in pixels hold for the size that they were found at."""
    output = SegmentationOutput(["a", "b"], inference_size=(24, 32))
    sized = keras.Model(model.input, output(model.output))
    given = search(model, examples)
    assert search(sized, examples, size=None) == given
    assert search(sized, examples, size=12).table != given.table
    for crf, expected in ((given.best, given.mean_iou), (False, given.mean_iou_without)):
        matrix = sum(
            confusion_matrix(labels, segment(sized, photo, crf=crf).labels, classes=2)
            for photo, labels in examples
        )
        # Scores are kept in half precision.
        assert mean_iou(matrix) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("end", [SegmentationOutput(["a", "b"], "softmax"), keras.layers.Softmax()])
def test_probabilities_are_tuned_as_such(model, examples, end):
    softmax = keras.Model(model.input, end(model.output))
    given, found = search(model, examples), search(softmax, examples)
    assert found.best == given.best
    assert list(found.table.values()) == pytest.approx(list(given.table.values()), abs=2e-3)


def test_a_crf_is_no_option(model, examples):
    with pytest.raises(ValueError, match="Pass it as start"):
        search(model, examples, crf=True)
    labels = replace(open_segmenter(model), output="labels")
    with pytest.raises(ValueError, match="must return scores for a CRF"):
        search(labels, examples)
