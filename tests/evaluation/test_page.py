import base64
import io

import pytest
from PIL import Image

from keras_deeplab.evaluation.page import duration, percent, picture_source


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}])
def test_a_picture_of_much_detail_is_written(rng, options: dict):
    noise = rng.integers(0, 256, (400, 400, 3), "uint8")
    kind, _, data = picture_source(Image.fromarray(noise), **options).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (400, 400)


def test_numbers_are_written_short():
    assert [percent(0.5), percent(1.0), percent(float("nan"))] == ["50.0 %", "100.0 %", "\u2013"]
    assert percent(None) == "\u2013"
    assert [duration(0.0004), duration(0.0834), duration(0.9999)] == ["0 ms", "83 ms", "1.00 s"]
