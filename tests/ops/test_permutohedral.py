import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_deeplab.ops import lattice, permutohedral
from tests.reference import dense_crf


def _points(count, d, seed=0, spread=3.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-spread, spread, (count, d)).astype("float32")


def _lattice_in_numpy(features):
    """The filter's matrix (N, N) before normalisation, with dictionaries instead of tensors.

    Written from the paper: nearest point of colour 0 by sorting, vertices as tuples.
    """
    features = np.asarray(features, np.float64)
    count, d = features.shape
    scale = np.sqrt(2 / 3) * (d + 1) / np.sqrt((np.arange(d) + 1) * (np.arange(d) + 2))
    scaled = features * scale
    elevated = np.zeros((count, d + 1))
    for i in range(d):
        elevated[:, : i + 1] += scaled[:, i : i + 1]
        elevated[:, i + 1] -= (i + 1) * scaled[:, i]
    splat = [{} for _ in range(count)]
    for n, point in enumerate(elevated):
        base = np.round(point / (d + 1)) * (d + 1)
        excess = round(base.sum() / (d + 1))
        order = np.argsort(base - point if excess > 0 else point - base)[::-1]
        base[order[: abs(excess)]] -= np.sign(excess) * (d + 1)
        rest = point - base
        order = np.argsort(-rest)
        ordered = rest[order] / (d + 1)
        for k in range(d + 1):
            vertex = base + k
            vertex[order[d + 1 - k :]] -= d + 1
            weight = 1 + ordered[d] - ordered[0] if k == 0 else ordered[d - k] - ordered[d - k + 1]
            splat[n][tuple(vertex.astype(int))] = weight
    names = sorted(set(itertools.chain(*splat)))
    number = {name: i for i, name in enumerate(names)}
    spread = np.zeros((len(names), count))
    for n, vertices in enumerate(splat):
        for vertex, weight in vertices.items():
            spread[number[vertex], n] = weight
    blurred = spread
    for axis in range(d + 1):
        step = np.ones(d + 1, int)
        step[axis] = -d
        matrix = np.eye(len(names))
        for name, i in number.items():
            for sign in (1, -1):
                j = number.get(tuple(np.array(name) + sign * step))
                if j is not None:
                    matrix[i, j] = 0.5
        blurred = matrix @ blurred
    return spread.T @ blurred / (1 + 2.0**-d)


def _normalised(kernel):
    norm = 1 / np.sqrt(kernel.sum(1))
    return kernel * norm[:, None] * norm


def _matrix(features, weight=1.0):
    """The whole filter as a matrix, by filtering every unit vector."""
    built = permutohedral.build_filter([features[np.newaxis]], [weight])
    return permutohedral.apply_filter(built, tf.eye(len(features))).numpy()


@pytest.mark.parametrize("d", [1, 2, 3, 5, 6])
def test_the_filter_is_the_lattice_of_the_paper(d):
    features = _points(60, d, seed=d)
    expected = _normalised(_lattice_in_numpy(features))
    # Both hold numbers below 1; float32 barycentric weights carry errors of about 1e-5.
    np.testing.assert_allclose(_matrix(features), expected, atol=5e-5)


@pytest.mark.parametrize("d", [2, 5])
def test_simplices_hold_their_points(d):
    built = lattice.build_lattice(_points(200, d, spread=20)[np.newaxis])
    weights = tf.stack(built.weights).numpy()
    assert weights.min() > -1e-4
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)


def test_neighbours_point_back():
    built = lattice.build_lattice(_points(300, 3)[np.newaxis])
    for above, below in zip(built.above, built.below, strict=True):
        above, below = above.numpy(), below.numpy()
        here = np.flatnonzero(above >= 0)
        assert here.size
        np.testing.assert_array_equal(below[above[here]], here)
        assert (below >= 0).sum() == here.size


def test_close_to_the_gaussian():
    """Bounds the error that the lattice makes by approximating."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:24, :24]
    features = np.stack([x, y], -1).reshape(-1, 2) / 3
    values = rng.random((24 * 24, 4))
    expected = dense_crf.gaussian_kernel(features) @ values
    built = permutohedral.build_filter([features[np.newaxis]], [1.0])
    actual = permutohedral.apply_filter(built, tf.constant(values, tf.float32)).numpy()
    assert np.abs(actual - expected).max() < 0.05
    assert np.abs(actual - expected).mean() < 0.01


def test_sum_of_filters_and_weights():
    first, second = _points(80, 2), _points(80, 5, seed=1)
    built = permutohedral.build_filter([first[np.newaxis], second[np.newaxis]], [2.0, 0.5])
    actual = permutohedral.apply_filter(built, tf.eye(80)).numpy()
    np.testing.assert_allclose(actual, 2 * _matrix(first) + 0.5 * _matrix(second), atol=1e-5)


def test_batch_entries_do_not_meet():
    features = _points(80, 3).reshape(2, 40, 3)
    features[1] = features[0] + 0.01
    built = permutohedral.build_filter([features], [1.0])
    both = permutohedral.apply_filter(built, tf.eye(80)).numpy()
    assert not both[:40, 40:].any()
    assert not both[40:, :40].any()
    np.testing.assert_allclose(both[:40, :40], _matrix(features[0]), atol=1e-5)
    np.testing.assert_allclose(both[40:, 40:], _matrix(features[1]), atol=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_gradient_is_the_transpose(graph):
    features = _points(50, 5)[np.newaxis]

    def gradient(upstream):
        built = permutohedral.build_filter([features], [1.0])
        values = tf.zeros((50, 50))
        with tf.GradientTape() as tape:
            tape.watch(values)
            filtered = permutohedral.apply_filter(built, values)
        return tape.gradient(filtered, values, upstream)

    matrix = _matrix(features[0])
    # The blurs do not commute where neighbours are missing, so that the matrix is not symmetric.
    assert np.abs(matrix - matrix.T).max() > 1e-4
    run = tf.function(gradient, autograph=False) if graph else gradient
    np.testing.assert_allclose(run(tf.eye(50)).numpy(), matrix.T, atol=1e-6)


def test_second_gradient():
    built = permutohedral.build_filter([_points(20, 2)[np.newaxis]], [1.0])
    values = tf.random.normal((20, 1), seed=1)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(values)
        with tf.GradientTape() as inner:
            inner.watch(values)
            energy = tf.reduce_sum(tf.square(permutohedral.apply_filter(built, values)))
        first = inner.gradient(energy, values)
    hessian = outer.jacobian(first, values, experimental_use_pfor=False)[:, 0, :, 0]
    matrix = _matrix(_points(20, 2))
    np.testing.assert_allclose(hessian.numpy(), 2 * matrix.T @ matrix, atol=1e-5)


def test_one_trace_for_all_sizes():
    count = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec(None)])
    def run(image, values):
        count.append(1)
        values = tf.ensure_shape(values, (None, None, None, 5))
        return permutohedral.image_filter(image, [(8.0, 20.0, 1.0), (2.0, None, 1.0)])(values)

    rng = np.random.default_rng(0)
    for shape in ((1, 7, 9), (2, 12, 5), (1, 1, 1)):
        image = rng.uniform(0, 255, (*shape, 3)).astype("float32")
        values = rng.random((*shape, 5)).astype("float32")
        eager = permutohedral.image_filter(image, [(8.0, 20.0, 1.0), (2.0, None, 1.0)])(values)
        np.testing.assert_allclose(run(image, values).numpy(), eager.numpy(), atol=1e-5)
    assert len(count) == 1


def test_saved_model_and_its_gradient(tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))] * 2)
        def run(self, image, values):
            return permutohedral.image_filter(image, [(8.0, 20.0, 1.0), (2.0, None, 1.0)])(values)

    def with_gradient(module):
        with tf.GradientTape() as tape:
            tape.watch(values)
            filtered = module.run(image, values)
        return filtered, tape.gradient(filtered, values, values**2)

    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (2, 8, 9, 3)).astype("float32")
    values = tf.constant(rng.random((2, 8, 9, 3)), tf.float32)
    module = Module()
    tf.saved_model.save(module, str(tmp_path))
    restored = with_gradient(tf.saved_model.load(str(tmp_path)))
    for actual, expected in zip(restored, with_gradient(module), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)
