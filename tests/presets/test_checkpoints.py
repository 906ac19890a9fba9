import pytest

from keras_deeplab.presets.checkpoints import CHECKPOINTS
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights.readers.converters import FORMATS
from keras_deeplab.weights.readers.torch_networks import TORCH_NETWORKS


def test_every_reader_has_a_row():
    libraries = TORCH_NETWORKS.keys() - {"vainf_plus", "efficientnet_lite"}
    assert CHECKPOINTS.keys() == {"caffe"} | FORMATS.keys() | libraries
    assert all(name == row.converter for name, row in CHECKPOINTS.items())


@pytest.mark.parametrize("name", WEIGHTS)
def test_published_files_are_read_as_their_library_trains(name: str):
    """Where a published file deviates, it is in padding, output stride and scales only."""
    row = WEIGHTS[name]
    if row.converter in CHECKPOINTS:
        library = CHECKPOINTS[row.converter]
        assert row.preprocessing == library.preprocessing
        assert row.align_corners == library.align_corners
        assert row.batch_norm == library.batch_norm
