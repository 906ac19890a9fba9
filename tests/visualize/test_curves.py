from io import BytesIO

import numpy as np
from PIL import Image

from keras_deeplab.visualize import training_curves


def drawn(*rows: dict[str, float]) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(training_curves(rows))).convert("RGB")).astype(int)


def has(colour: tuple[int, int, int], picture: np.ndarray) -> bool:
    return bool((abs(picture - colour).max(-1) < 12).any())


def test_curves_of_training_and_validation():
    blue, red = (0, 150, 195), (210, 45, 120)
    rows = [{"epoch": i, "loss": 1 / i, "mean_iou": i / 9, "learning_rate": 0.1} for i in (1, 2, 3)]
    picture = drawn(*rows)
    third = picture.shape[1] // 3
    for panel in (0, 1, 2):
        assert has(blue, picture[:, panel * third : (panel + 1) * third])
    assert not has(red, picture)
    # Validated in the last epoch only; the output of a network with several has a prefix.
    picture = drawn(*rows, {"epoch": 4, "val_output_mean_iou": 0.5})
    assert has(red, picture[:, third : 2 * third])
    assert not has(red, picture[:, :third])


def test_an_empty_log_is_an_empty_chart():
    assert drawn().shape == drawn({"epoch": 1, "loss": 2.0}).shape
