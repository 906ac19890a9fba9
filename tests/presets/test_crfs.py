import pytest

from keras_deeplab.presets.crfs import CRFS


@pytest.mark.parametrize("name", CRFS)
def test_rows_are_complete(name: str):
    row = CRFS[name]
    assert row.name == name
    assert min(row.theta_alpha, row.theta_beta, row.theta_gamma) > 0
    assert min(row.bilateral_weight, row.spatial_weight) > 0
    assert row.num_iterations in (5, 10)
    assert row.source
