import keras
import numpy as np
import pytest

from keras_deeplab.layers import RescaleBilinear, ResizeBilinear, ResizeToMultiple
from keras_deeplab.layers.resize_bilinear import interpolation_matrix


def reference(x: np.ndarray, size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Bilinear interpolation, pixel by pixel."""
    height, width, channels = x.shape
    out = np.empty((*size, channels))
    for i in range(size[0]):
        for j in range(size[1]):
            if align_corners:
                y = i * (height - 1) / max(1, size[0] - 1)
                z = j * (width - 1) / max(1, size[1] - 1)
            else:
                y = min(max((i + 0.5) * height / size[0] - 0.5, 0), height - 1)
                z = min(max((j + 0.5) * width / size[1] - 0.5, 0), width - 1)
            a, b = int(y), int(z)
            c, d = min(a + 1, height - 1), min(b + 1, width - 1)
            v, w = y - a, z - b
            out[i, j] = (1 - v) * ((1 - w) * x[a, b] + w * x[a, d]) + v * (
                (1 - w) * x[c, b] + w * x[c, d]
            )
    return out


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(
    ("source", "target"), [((5, 7), (20, 11)), ((9, 9), (4, 3)), ((1, 1), (3, 4)), ((6, 4), (1, 1))]
)
def test_equals_the_reference_on_both_roads(
    source, target, align_corners: bool, rng: np.random.Generator
):
    x = rng.normal(size=(2, *source, 3)).astype("float32")
    expected = np.stack([reference(image, target, align_corners) for image in x])
    like = np.zeros((1, *target, 5), "float32")
    np.testing.assert_allclose(ResizeBilinear(align_corners)([x, like]), expected, atol=1e-5)
    rows = interpolation_matrix(source[0], target[0], align_corners=align_corners)
    columns = interpolation_matrix(source[1], target[1], align_corners=align_corners)
    matrices = np.einsum("yh,bhwc,xw->byxc", rows, x, columns)
    np.testing.assert_allclose(matrices, expected, atol=1e-5)


def test_symbolic_shape_and_config():
    layer = ResizeBilinear(align_corners=True, name="up")
    x, like = keras.Input((None, 4, 3)), keras.Input((12, None, 1))
    assert layer([x, like]).shape == (None, 12, None, 3)
    again = ResizeBilinear.from_config(layer.get_config())
    assert again.align_corners is True
    assert again.name == "up"


def test_keeps_the_dtype_of_its_policy():
    x = np.ones((1, 2, 2, 1), "float32")
    assert ResizeBilinear(dtype="mixed_float16")([x, np.ones((1, 4, 4, 1))]).dtype == "float16"


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5])
@pytest.mark.parametrize("size", [(9, 12), (1, 5)])
def test_rescale_equals_the_definition(size, scale: float, align_corners: bool, rng):
    x = rng.normal(size=(1, *size, 2)).astype("float32")
    corner = int(align_corners)
    target = tuple(max(1, int((n - corner) * scale) + corner) for n in size)
    image = keras.Input((None, None, 2))
    model = keras.Model(image, RescaleBilinear(scale, align_corners)(image))
    expected = reference(x[0], target, align_corners)
    np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5, atol=1e-5)
    # The same where sizes are symbolic.
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], expected, rtol=1e-5, atol=1e-5)
    fixed = RescaleBilinear(scale, align_corners).compute_output_shape((None, *size, 2))
    assert fixed == (None, *target, 2)


def test_rescale_keeps_its_arguments():
    layer = RescaleBilinear(0.75, align_corners=True, grid="factor")
    again = RescaleBilinear.from_config(layer.get_config())
    assert (again.scale, again.align_corners, again.grid) == (0.75, True, "factor")
    # Files of earlier versions do not say.
    old = {key: value for key, value in layer.get_config().items() if key != "grid"}
    assert RescaleBilinear.from_config(old).grid == "size"
    with pytest.raises(ValueError, match="grid must be one of 'size', 'factor'"):
        RescaleBilinear(0.5, grid="scale")


def test_the_grid_of_the_factor_by_hand():
    """Five pixels at 0.5: centres 0.5 and 2.5, where the size's grid takes 0.75 and 3.25."""
    x = np.array([0.0, 1, 4, 9, 16], "float32").reshape(1, 1, 5, 1)
    assert np.ravel(RescaleBilinear(0.5, grid="factor")(x)).tolist() == [0.5, 6.5]
    assert np.ravel(RescaleBilinear(0.5, grid="size")(x)).tolist() == [0.75, 10.75]


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5])
@pytest.mark.parametrize("size", [(9, 12), (1, 5), (33, 50)])
def test_the_grid_of_the_factor_is_pytorchs(size: tuple[int, int], scale: float, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=(1, *size, 2)).astype("float32")
    if min(int(scale * side) for side in size) == 0:
        pytest.skip("PyTorch has no images of 0 pixels")
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), scale_factor=scale, mode="bilinear"
    )
    image = keras.Input((None, None, 2))
    model = keras.Model(image, RescaleBilinear(scale, grid="factor")(image))
    received = model.predict(x, verbose=0)
    # Positions near 50 have a last digit of 4e-6 in float32.
    np.testing.assert_allclose(received, expected.numpy().transpose(0, 2, 3, 1), atol=2e-5)


@pytest.mark.parametrize("size", [(32, 64), (33, 63), (1, 97)])
def test_sides_become_multiples(size: tuple[int, int], rng):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, ResizeToMultiple(32)(image))
    x = rng.uniform(0, 1, (1, *size, 2)).astype("float32")
    like = np.zeros((1, *(-(-side // 32) * 32 for side in size), 1), "float32")
    expected = ResizeBilinear()([x, like])
    np.testing.assert_allclose(model(x), expected, atol=1e-6)
    layer = ResizeToMultiple.from_config(model.layers[-1].get_config())
    assert layer.compute_output_shape((None, *size, 2)) == (None, *like.shape[1:3], 2)
    assert layer.compute_output_shape((None, None, 5, 2)) == (None, None, 32, 2)
