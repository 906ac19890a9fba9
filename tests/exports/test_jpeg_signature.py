import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab import export
from keras_deeplab.inference import InferenceOptions, fit_image, fitted_size, open_segmenter
from tests.exports.test_exporter import NAMES, network

tf = pytest.importorskip("tensorflow")


def jpeg(rng: np.random.Generator, width: int, height: int) -> bytes:
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), "uint8"))
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "jpeg", quality=95)
    return buffer.getvalue()


@pytest.mark.slow
def test_labels_and_shares_are_those_of_the_network(tmp_path: Path, rng):
    """Photos that are wider, higher and smaller than the input, in one call."""
    model = network()
    export(model, tmp_path / "net", signature="jpeg")
    served = tf.saved_model.load(str(tmp_path / "net")).signatures["jpeg"]
    files = [jpeg(rng, *size) for size in ((200, 60), (40, 90), (30, 20))]
    result = {name: value.numpy() for name, value in served(jpeg=tf.constant(files)).items()}
    assert result["labels"].shape == (3, 45, 61)
    assert (result["labels"].dtype, result["shares"].shape) == ("uint8", (3, len(NAMES)))
    np.testing.assert_allclose(result["shares"].sum(axis=1), 1, rtol=1e-6)
    for number, file in enumerate(files):
        photo = np.asarray(Image.open(io.BytesIO(file)))
        scores = model(fit_image(photo, (45, 61))[None])[0]
        height, width = fitted_size(photo.shape[:2], (45, 61))
        assert result["size"][number].tolist() == [height, width]
        labels = result["labels"][number]
        assert (labels[height:] == 255).all()
        assert (labels[:, width:] == 255).all()
        # Pillow rounds between its two passes.
        inside = labels[:height, :width]
        assert (inside == np.asarray(scores).argmax(-1)[:height, :width]).mean() > 0.99
        shares = np.bincount(inside.ravel(), minlength=len(NAMES)) / inside.size
        np.testing.assert_allclose(result["shares"][number], shares, rtol=1e-6)


@pytest.mark.slow
def test_the_folder_is_still_a_network_of_images(tmp_path: Path, rng):
    model = network()
    export(model, tmp_path / "net", signature="jpeg", input_size=(32, 47))
    opened = open_segmenter(tmp_path / "net")
    assert opened.input_shape == (None, 32, 47, 3)
    photo = rng.integers(0, 256, (32, 47, 3), "uint8")
    (scores,) = opened.predict([photo], InferenceOptions())
    np.testing.assert_allclose(scores.values, model(photo[None])[0], atol=1e-4)


def test_only_saved_models_have_signatures(tmp_path: Path):
    with pytest.raises(ValueError, match="signature must come with format='saved_model'"):
        export(network(), tmp_path / "net.onnx", signature="jpeg")
    with pytest.raises(ValueError, match="signature must be"):
        export(network(), tmp_path / "net", signature="png")
