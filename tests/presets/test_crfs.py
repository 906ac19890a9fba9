import pytest

from keras_deeplab.presets.crfs import CRFS, DEFAULT_CRF, CRFParameters


def test_released_parameters():
    assert CRFS["v2_resnet101"] == CRFParameters(
        bilateral_weight=4, theta_alpha=67, theta_beta=3, spatial_weight=3, theta_gamma=1
    )
    assert CRFS["pydensecrf"].num_iterations == 5
    assert CRFS[DEFAULT_CRF] == CRFParameters()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"theta_beta": 0}, "theta_beta must be positive. Received: theta_beta=0"),
        ({"theta_alpha": float("nan")}, "theta_alpha must be positive"),
        ({"spatial_weight": -1}, "spatial_weight must not be negative. Received: spatial_weight"),
        ({"num_iterations": -1}, "num_iterations must be at least 0"),
        ({"engine": "lattice"}, "engine must be one of 'permutohedral', 'convolutional'"),
    ],
)
def test_wrong_parameters(arguments: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        CRFParameters(**arguments)


def test_iterations_are_whole():
    with pytest.raises(TypeError, match="num_iterations must be an int"):
        CRFParameters(num_iterations=2.5)
