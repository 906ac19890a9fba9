from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference import InferenceOptions
from keras_deeplab.inference.bulk import BulkJob, Destination, ResultFiles
from tests.evaluation.test_label_review import network  # noqa: F401 - a fixture


def test_results_and_errors_come_in_order(network, tmp_path: Path):  # noqa: F811
    bright = np.zeros((8, 12, 3), "uint8")
    bright[:, 6:] = 255
    for name in ("a", "c"):
        Image.fromarray(bright).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no photo")
    items = [Item(str(tmp_path / f"{x}.png"), x) for x in "abc"]
    destination = Destination(str(tmp_path / "out"))
    destination.prepare()
    job = BulkJob(ResultFiles(destination, format="png", overlay=False), InferenceOptions())
    (_, first), (_, second), (_, third) = job.outcomes(network, items)
    assert isinstance(second, ValueError)
    assert "b.png" in str(second)
    assert first["shares"] == third["shares"] == {"background": 0.5, "kite": 0.5}
    with Image.open(tmp_path / "out" / "a_mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), bright[..., 0] > 0)
    assert list(job.outcomes(network, [])) == []
