from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab.data.formats import read_folder
from keras_deeplab.training.pictures import PredictionSheet
from tests.training.test_run import network, write_squares


def test_a_row_shows_photo_labels_and_answer(tmp_path: Path):
    data = read_folder(write_squares(tmp_path / "data", 6), class_names=["dark", "bright"])
    model = network()
    # Always class 1: the third panel is coloured all over, the second only in its square.
    model.get_layer("classifier").set_weights([np.zeros((3, 3, 8, 2)), np.array([0.0, 1.0])])
    sheet = PredictionSheet(model, data, tmp_path / "pictures", number=2, size=(40, 40))
    sheet(7)
    with Image.open(tmp_path / "pictures" / "epoch_007.png") as picture:
        panels = np.asarray(picture).astype(int)
    # Two rows of pictures with captions, and a legend.
    assert panels.shape[0] > 2 * 220 + 10
    assert panels.shape[1] == 3 * 204
    coloured = panels[..., 0] > panels[..., 2] + 50
    photo, truth, answer = (coloured[21:221, x : x + 200].mean() for x in (0, 204, 408))
    assert photo < 0.01
    assert 0.1 < truth < 0.35
    assert answer > 0.95
    assert coloured[450:].any()


def test_none_are_drawn_on_request(tmp_path: Path):
    data = read_folder(write_squares(tmp_path / "data", 2), class_names=["dark", "bright"])
    PredictionSheet(network(), data, tmp_path / "pictures", number=0, size=(40, 40))(1)
    assert not (tmp_path / "pictures").exists()
