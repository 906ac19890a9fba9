"""The lattice of one point and of two, by hand; test_permutohedral.py filters with it."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_deeplab.ops.lattice import build_lattice  # noqa: E402


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_barycentric_weights_sum_to_one(dimensions: int, rng):
    features = rng.normal(0, 3, (2, 50, dimensions)).astype("float32")
    lattice = build_lattice(tf.constant(features))
    weights = np.stack(lattice.weights)
    assert weights.shape == (dimensions + 1, 100)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    assert weights.min() > -1e-5


def test_neighbours_are_inverse_to_each_other(rng):
    lattice = build_lattice(tf.constant(rng.normal(0, 2, (1, 80, 2)).astype("float32")))
    for above, below in zip(lattice.above, lattice.below, strict=True):
        above, below = np.asarray(above), np.asarray(below)
        vertices = np.arange(len(above))
        has = above >= 0
        np.testing.assert_array_equal(below[above[has]], vertices[has])
        has = below >= 0
        np.testing.assert_array_equal(above[below[has]], vertices[has])


def test_on_a_line_vertices_are_a_standard_deviation_apart():
    """In one dimension the spread is sqrt(2/3) * 2 / sqrt(2), a step of the lattice is d + 1 = 2.

    Position 0 is a vertex; half a step on, both vertices around it weigh one half.
    """
    spread = np.sqrt(2 / 3) * 2 / np.sqrt(2)
    half_step = 0.5 / spread
    lattice = build_lattice(tf.constant([[[0.0], [half_step]]], tf.float32))
    weights = np.stack(lattice.weights)
    np.testing.assert_allclose(np.sort(weights[:, 0]), [0, 1], atol=1e-6)
    np.testing.assert_allclose(weights[:, 1], [0.5, 0.5], atol=1e-6)


def test_equal_points_share_their_vertices_but_not_across_a_batch():
    point = [[0.3, -0.7]]
    one = build_lattice(tf.constant([point * 3], tf.float32))
    two = build_lattice(tf.constant([point, point], tf.float32))
    assert len({int(v) for vector in one.vertices for v in vector}) == 3
    assert len({int(v) for vector in two.vertices for v in vector}) == 6
