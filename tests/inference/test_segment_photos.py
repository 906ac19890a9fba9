from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DeepLab, DenseCRF, open_segmenter, segment
from keras_deeplab.inference import InferenceOptions
from keras_deeplab.layers import SegmentationOutput
from keras_deeplab.presets.datasets import DATASETS


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network that answers by colour: label 0, 1 or 2 is the strongest of red, green, blue."""
    model = DeepLab(classes=["red", "green", "blue"], backbone="mobilenet_v2_050")
    output = model.get_layer("output")
    scores = keras.layers.Rescaling(0.1)(model.input)
    return keras.Model(model.input, output(scores))


@pytest.fixture
def photo_array() -> np.ndarray:
    array = np.zeros((30, 40, 3), "uint8")
    array[:, :10, 0] = 200
    array[:, 10:, 2] = 200
    return array


def test_result_of_one_photo(model: keras.Model, photo_array):
    result = segment(model, photo_array, probabilities=True, size=40)
    np.testing.assert_array_equal(
        result.labels, np.where(np.arange(40) < 10, 0, 2)[None].repeat(30, 0)
    )
    assert result.shares() == {"blue": 0.75, "red": 0.25}
    np.testing.assert_allclose(result.probabilities.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        result.probabilities[0, 0], np.exp([20, 0, 0]) / (np.exp(20) + 2), rtol=1e-4
    )
    assert segment(model, photo_array).probabilities is None


def test_crf_gives_the_same_whatever_the_output_is(model: keras.Model, photo_array, rng):
    """A few pixels of another colour are overruled by what surrounds them."""
    photo_array[4:6, 20:22] = (0, 40, 0)
    assert (segment(model, photo_array, size=40).labels == 1).any()
    crf = DenseCRF(theta_alpha=20, theta_beta=200, num_iterations=5)
    refined = segment(model, photo_array, size=40, crf=crf, probabilities=True)
    assert not (refined.labels == 1).any()
    np.testing.assert_allclose(refined.probabilities.sum(-1), 1, rtol=1e-5)
    output = SegmentationOutput(["red", "green", "blue"], activation="softmax")
    softmax = keras.Model(model.input, output(model.output))
    other = segment(softmax, photo_array, size=40, crf=crf, probabilities=True)
    np.testing.assert_allclose(other.probabilities, refined.probabilities, atol=1e-3)


def test_crf_by_name(model: keras.Model, photo_array):
    for crf in (True, "v2_resnet101", DenseCRF()):
        labels = segment(model, photo_array, size=40, crf=crf).labels
        np.testing.assert_array_equal(labels, segment(model, photo_array, size=40).labels)
    with pytest.raises(ValueError, match="preset must be one of"):
        segment(model, photo_array, crf="v9")


def test_files_folders_batches_and_lists(model: keras.Model, photo_array, tmp_path: Path):
    for name in ("a.png", "b.png"):
        Image.fromarray(photo_array).save(tmp_path / name)
    expected = segment(model, photo_array).labels
    assert segment(model, tmp_path / "a.png").name == "a"
    several = {
        "folder": segment(model, tmp_path),
        "batch": segment(model, np.stack([photo_array] * 2)),
        "list": segment(model, [str(tmp_path / "b.png"), Image.fromarray(photo_array)]),
    }
    for results in several.values():
        assert len(results) == 2
        for result in results:
            np.testing.assert_array_equal(result.labels, expected)
    assert [result.name for result in several["folder"]] == ["a", "b"]


def test_several_photos_are_computed_as_they_are_asked_for(model: keras.Model, photo_array):
    runs = []
    segmenter = open_segmenter(model)
    counted = replace(segmenter, run=lambda x: runs.append(len(x)) or segmenter.run(x))
    results = segment(counted, [photo_array, photo_array[:, ::-1], photo_array], batch_size=2)
    assert (runs, len(results)) == ([], 3)
    np.testing.assert_array_equal(results[1].labels[0], np.where(np.arange(40) < 30, 2, 0))
    np.testing.assert_array_equal(results[-1].labels, results[0].labels)
    assert runs == [1, 1, 1]
    assert len(results[1:]) == 2
    assert [x.labels[0, 0] for x in results] == [0, 2, 0]
    # The second batch is filled up.
    assert runs[3:] == [2, 2]
    with pytest.raises(IndexError):
        results[3]


def test_a_damaged_photo_stops_where_it_is(model: keras.Model, photo_array, tmp_path: Path):
    for name in ("a.png", "c.png"):
        Image.fromarray(photo_array).save(tmp_path / name)
    (tmp_path / "b.png").write_text("none")
    results = segment(model, tmp_path)
    stream = iter(results)
    assert next(stream).name == "a"
    with pytest.raises(ValueError, match="b.png"):
        next(stream)
    names = list(results.outcomes(lambda number, result: (number, result.name)))
    assert names[::2] == [(0, "a"), (2, "c")]
    assert isinstance(names[1], ValueError)


def test_options_and_settings(model: keras.Model, photo_array):
    options = InferenceOptions(size=17, flip=True)
    expected = segment(model, photo_array, size=33, flip=True, probabilities=True)
    result = segment(model, photo_array, options=options, size=33, probabilities=True)
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    with pytest.raises(ValueError, match="Did you mean 'size'"):
        segment(model, photo_array, sizes=33)


def test_fixed_input_size(photo_array):
    """The 30x40 photo is fitted into the network's own 60x96 pixels: 60x80, and padded."""
    names = ["red", "green", "blue"]
    image = keras.Input((60, 96, 3))
    scores = keras.layers.Rescaling(0.1)(image)
    result = segment(keras.Model(image, SegmentationOutput(names)(scores)), photo_array)
    expected = np.where(np.arange(40) < 10, 0, 2)[None].repeat(30, 0)
    np.testing.assert_array_equal(result.labels, expected)
    assert result.shares() == {"blue": 0.75, "red": 0.25}


def test_names_and_colours_of_a_dataset():
    model = DeepLab(classes=DATASETS["camvid"].class_names, backbone="mobilenet_v2_050")
    result = segment(model, np.zeros((8, 8, 3), "uint8"), size=32)
    assert result.palette == DATASETS["camvid"].palette


def test_any_keras_model(photo_array):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    assert segment(model, photo_array, size=32).class_names == ("class 0", "class 1")
    named = segment(model, photo_array, size=32, class_names=["a", "b"])
    assert named.class_names == ("a", "b")
    with pytest.raises(ValueError, match="name the network's 2 classes. Received: 3 names"):
        segment(model, photo_array, class_names=["a", "b", "c"])


def test_a_classifier_is_refused(photo_array):
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.Flatten()(image))
    with pytest.raises(ValueError, match=r"output shape \(None, 3072\)"):
        segment(model, photo_array)


@pytest.mark.parametrize("size", [0, "big", (3, -1), 2.5])
def test_wrong_size(model: keras.Model, photo_array, size):
    with pytest.raises((ValueError, TypeError), match="size must be"):
        segment(model, photo_array, size=size)


def test_results_of_one_call_do_not_overwrite_each_other(
    model: keras.Model, photo_array, tmp_path: Path
):
    folder = tmp_path / "photos"
    folder.mkdir()
    (tmp_path / "more").mkdir()
    for name in ("a.png", "a.jpg", "a_2.png", "A.bmp"):
        Image.fromarray(photo_array).save(folder / name)
    Image.fromarray(photo_array).save(tmp_path / "more" / "a.png")
    for number, photos in enumerate(
        [
            folder,
            [folder / "a.png", tmp_path / "more" / "a.png"],
            [photo_array, photo_array],
            np.stack([photo_array] * 3),
        ]
    ):
        results = segment(model, photos, size=40)
        out = tmp_path / str(number)
        names = [result.name for result in results]
        for result in results:
            result.save(out, overlay=False)
        assert len(list(out.iterdir())) == len(results) == len({x.casefold() for x in names})
        assert [results[1].name, results[1:][0].name] == [names[1]] * 2
    assert names == ["photo", "photo_2", "photo_3"]


def test_several_photos_in_one_line(model: keras.Model, photo_array):
    several = segment(model, [photo_array] * 3)
    assert repr(several) == f"Segmentations(3 photos, computed by {model.name} on access)"
    assert repr(several.segmenter).startswith(f"Segmenter({model.name}: 3 classes (red, ")
