from pathlib import Path

import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.cli import main
from keras_deeplab.presets.datasets import numbered_classes
from keras_deeplab.weights.conversion import convert


@pytest.fixture
def archive(tmp_path: Path, rng: np.random.Generator) -> Path:
    pytest.importorskip("tensorflow")
    from tests.reference.slim_networks import SlimNetwork
    from tests.weights.readers.test_tf_slim import archive

    slim = SlimNetwork(rng)
    image = np.zeros((1, 33, 33, 3), "float32")
    slim.logits(slim.aspp(slim.mobilenet_v2(image)), 21)
    return archive(slim, tmp_path)


def arguments(source: Path, out: Path) -> list[str]:
    options = ["--converter", "tf_slim", "--network", "deeplab_v3_mobilenet_v2"]
    return ["convert", str(source), *options, "--out", str(out)]


def test_from_an_archive_to_a_model(archive: Path, tmp_path: Path, rng, capsys):
    out = tmp_path / "new" / "net.keras"
    assert main(arguments(archive, out)) == 0
    said = capsys.readouterr().out
    assert "deeplab_v3_mobilenet_v2 with 21 classes" in said
    assert said.endswith(f"--class-names.\n  {out}\n")
    model = DeepLab(out)
    # The number of classes alone does not say which they are.
    assert model.get_layer("output").class_names == numbered_classes(21)
    assert model.get_layer("upsampling").align_corners
    assert model.get_layer("stem_bn").trainable


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (dict(converter="tfslim"), ValueError, "Did you mean 'tf_slim'"),
        (dict(network="deeplab_v3_mobilenetv2"), ValueError, "Did you mean 'deeplab_v3_mobilenet"),
        (dict(out="net.h5"), ValueError, "out must end in .keras"),
        (dict(source="none.tar.gz"), FileNotFoundError, "existing file. Received: 'none.tar.gz'"),
        (
            dict(network="deeplab_v3_plus_mobilenet_v2"),
            ValueError,
            "must be those of .*which lacks",
        ),
    ],
)
def test_wrong_arguments(archive: Path, tmp_path: Path, changes, error, words: str):
    options = dict(converter="tf_slim", network="deeplab_v3_mobilenet_v2", source=archive)
    options = {"out": tmp_path / "net.keras", **options, **changes}
    with pytest.raises(error, match=words):
        convert(options.pop("source"), options.pop("out"), **options)
    assert not (tmp_path / "net.keras").exists()


def test_a_saved_model_keeps_its_normalisation(tmp_path: Path):
    from keras_deeplab.models import BuildOptions, build_model
    from keras_deeplab.presets.networks import DEEPLABS

    row = DEEPLABS["deeplab_v3_mobilenet_v2_050"]
    build_model(row, class_names=["a", "b"], options=BuildOptions(preprocessing="caffe")).save(
        tmp_path / "m.keras"
    )
    again = DeepLab(tmp_path / "m.keras").get_layer("preprocessing")
    assert np.ravel(again.scale).tolist() == [1.0, 1.0, 1.0]
