"""High-dimensional Gaussian filtering on the permutohedral lattice (Adams et al. 2010).

Each value is distributed to the d + 1 vertices of the lattice simplex that contains its point
(splat), the vertices are blurred along the d + 1 axes of the lattice, and each point interpolates
its value (slice). All three steps are products with sparse matrices: a filter is built once and
reused.

TensorFlow 2.21 registers CPU and GPU kernels for the ops used; results were checked on CPU only.

Reference: Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from keras_deeplab.ops.lattice import Lattice, build_lattice

REGISTER = 8
"""Channels per SIMD register: filtering is fastest with full registers."""

_BLOCK = 1024  # points


class LatticeFilter(NamedTuple):
    """A filter as sparse matrices (variant tensors holding `CSRSparseMatrix`).

    Attributes:
        splat: `(M, N)`, the transpose of `slice`.
        blurs: matrices `(M, M)`, to be applied in order.
        slice: `(N, M)`.
    """

    splat: tf.Tensor
    blurs: tuple[tf.Tensor, ...]
    slice: tf.Tensor


def build_filter(features: Sequence[tf.Tensor], weights: Sequence[float]) -> LatticeFilter:
    """Builds a weighted sum of symmetrically normalised Gaussian filters over the same points.

    Each filter K becomes `w D K D`, where D holds one over the roots of K's response to ones.

    For each filter, ``features`` has a `(B, N, d)` tensor in standard deviations of its Gaussian,
    and ``weights`` a scalar >= 0.
    """
    tensors = [tf.convert_to_tensor(f, tf.float32) for f in features]
    scales = [tf.convert_to_tensor(w, tf.float32) for w in weights]
    if tf.executing_eagerly():
        return _builder(tuple(t.shape[-1] for t in tensors))(tensors, scales)
    # Variant tensors lose their shapes at function boundaries, which breaks SavedModels.
    return _build(tensors, scales)


def apply_filter(lattice_filter: LatticeFilter, values: tf.Tensor) -> tf.Tensor:
    """Filters `(B * N, C)` float32 values; differentiable by them any number of times."""
    kept = [_keep(matrix) for matrix in (lattice_filter.slice, *lattice_filter.blurs)]

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def grad(upstream: tf.Tensor) -> tf.Tensor:
            slice_matrix, *blurs = (matrix() for matrix in kept)
            transposed = [_transpose(blur) for blur in reversed(blurs)]
            adjoint = LatticeFilter(_transpose(slice_matrix), tuple(transposed), slice_matrix)
            return apply_filter(adjoint, upstream)

        for matrix in (lattice_filter.splat, *lattice_filter.blurs, lattice_filter.slice):
            x = tf.raw_ops.SparseMatrixMatMul(a=matrix, b=x)
        return x, grad

    return tf.ensure_shape(run(values), values.shape)


def _keep(matrix: tf.Tensor) -> Callable[[], tf.Tensor]:
    """Stores a matrix for a gradient function.

    In a SavedModel, gradient functions can refer to dense tensors but not to variant tensors. If no
    gradient is computed, TensorFlow prunes the conversion; otherwise it converts once.
    """
    if tf.executing_eagerly():
        return lambda: matrix
    parts = tf.raw_ops.CSRSparseMatrixToSparseTensor(sparse_matrix=matrix, type=tf.float32)
    return lambda: _sparse(parts.indices, parts.values, parts.dense_shape)


def image_filter(
    image: tf.Tensor, kernels: Sequence[tuple[float, float | None, float]]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Builds a weighted sum of symmetrically normalised Gaussian filters over the pixels of images.

    Args:
        image: `(B, H, W, 3)` float32, RGB 0-255.
        kernels: for each kernel its width in pixels, its width in RGB levels (`None`: independent
            of colour) and its weight >= 0.

    Returns:
        A function from `(B, H, W, C)` float32 to the same shape.
    """
    shape = tf.shape(image)
    y, x = tf.meshgrid(tf.range(shape[1]), tf.range(shape[2]), indexing="ij")
    grid = tf.cast(tf.broadcast_to(tf.stack([x, y], -1), [*tf.unstack(shape[:3]), 2]), tf.float32)
    features = []
    for position, colour, _ in kernels:
        parts = [grid / position] if colour is None else [grid / position, image / colour]
        point = tf.concat(parts, -1)
        features.append(tf.reshape(point, (shape[0], shape[1] * shape[2], point.shape[-1])))
    lattice_filter = build_filter(features, [weight for _, _, weight in kernels])

    def run(values: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(values, (-1, values.shape[-1]))
        return tf.reshape(apply_filter(lattice_filter, rows), tf.shape(values))

    return run


@functools.cache
def _builder(dimensions: tuple[int, ...]) -> Callable[..., LatticeFilter]:
    """Returns a function traced once for all sizes; a graph runs independent ops in parallel."""
    points = [tf.TensorSpec((None, None, d), tf.float32) for d in dimensions]
    scales = [tf.TensorSpec((), tf.float32)] * len(dimensions)

    return tf.function(_build, input_signature=[points, scales], autograph=False)


def _build(features: Sequence[tf.Tensor], scales: Sequence[tf.Tensor]) -> LatticeFilter:
    """Joins lattices over the same points into one filter."""
    lattices = [build_lattice(points) for points in features]
    axes = max(len(lattice.above) for lattice in lattices)
    offsets = tf.cumsum([tf.size(lattice.above[0]) for lattice in lattices], exclusive=True)
    above, below, vertices = [], [], []
    for lattice, offset in zip(lattices, tf.unstack(offsets), strict=True):
        above.append(_move(lattice.above, offset, axes))
        below.append(_move(lattice.below, offset, axes))
        vertices += [v + offset for v in lattice.vertices]
    columns = tf.stack(vertices)
    order, place = _interleave(columns)
    pairs = [
        [tf.concat(parts, 0) for parts in both]
        for both in zip(zip(*above, strict=True), zip(*below, strict=True), strict=True)
    ]
    blurs = [_blur(pairs[i : i + 2], order, place) for i in range(0, axes, 2)]

    shares = []
    for lattice, scale in zip(lattices, scales, strict=True):
        # The gain 1 / (1 + 2^-d) of a lattice cancels with that of its response to ones.
        norm = tf.sqrt(scale / (_response_to_ones(lattice) + 1e-20))
        shares += [w * norm for w in lattice.weights]
    points, size = tf.shape(columns)[1], tf.size(order)
    rows = tf.broadcast_to(tf.range(points), tf.shape(columns))
    # Transposing interleaves vectors three times faster than stacking them along the last axis.
    indices = tf.transpose(tf.stack([rows, tf.gather(place, columns)]), (2, 1, 0))
    values = tf.reshape(tf.transpose(tf.stack(shares)), (-1,))
    slice_matrix = _sparse(tf.reshape(indices, (-1, 2)), values, (points, size))
    return LatticeFilter(_transpose(slice_matrix), tuple(blurs), slice_matrix)


def _response_to_ones(lattice: Lattice) -> tf.Tensor:
    """Filters ones at every point; for one channel, gathers are faster than sparse products."""
    value = tf.raw_ops.DenseBincount(
        input=tf.concat(lattice.vertices, 0),
        size=tf.size(lattice.above[0]),
        weights=tf.concat(lattice.weights, 0),
    )
    for above, below in zip(lattice.above, lattice.below, strict=True):
        halves = tf.concat([[0.0], 0.5 * value], 0)
        value += tf.gather(halves, above + 1) + tf.gather(halves, below + 1)
    corners = zip(lattice.vertices, lattice.weights, strict=True)
    return tf.add_n([weight * tf.gather(value, vertex) for vertex, weight in corners])


def _move(neighbours: Sequence[tf.Tensor], offset: tf.Tensor, axes: int) -> list[tf.Tensor]:
    """Renumbers neighbours; axes that the lattice does not have get -1."""
    none = tf.fill(tf.shape(neighbours[0]), -1)
    moved = [tf.where(n < 0, n, n + offset) for n in neighbours]
    return moved + [none] * (axes - len(moved))


def _interleave(columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Orders the vertices of all colours by the block of points in which they first appear.

    The data of a block of points and its vertices then stays in the cache, and an even split of the
    vertices over threads splits the nonzeros almost evenly, too.

    Each row of ``columns``, `(colours, N)` int32, numbers the vertices around the points in the
    order of appearance, starting after the last number of the previous row.

    Returns:
        The vertices in their new order, and the position of each vertex.
    """
    padded = tf.pad(columns, [[0, 0], [0, -tf.shape(columns)[1] % _BLOCK]])
    highest = tf.reduce_max(tf.reshape(padded, (columns.shape[0], -1, _BLOCK)), -1)
    # The maximum of a block without new vertices is lower than that of earlier blocks.
    ends = tf.sort(highest) + 1
    starts = tf.reshape(tf.concat([[0], tf.reshape(ends, (-1,))[:-1]], 0), tf.shape(ends))
    sizes = tf.reshape(tf.transpose(ends - starts), (-1,))
    places = tf.cumsum(sizes, exclusive=True)
    shifts = tf.reshape(tf.transpose(starts), (-1,)) - places
    changes = shifts - tf.concat([[0], shifts[:-1]], 0)
    size = tf.reduce_max(ends)
    steps = tf.scatter_nd(places[:, tf.newaxis], changes, [size + 1])[:-1]
    order = tf.range(size) + tf.cumsum(steps)
    return order, tf.math.invert_permutation(order)


def _blur(pairs: Sequence[Sequence[tf.Tensor]], order: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Blurs along one or two axes in order, as one matrix.

    A product spends as much time on reading and writing all vertices as on its nonzeros. Two axes
    together have barely more nonzeros than both separately: most vertices have few neighbours.

    ``pairs`` has the neighbours above and below for each axis.
    """
    *first, last = pairs
    # Targets of each vertex along the first axis, with the number of steps; -1 stays -1.
    renumbered = tf.concat([[-1], place], 0)
    reached = [(renumbered, 0)]
    for neighbours in itertools.chain(*first):
        padded = tf.concat([[-1], neighbours], 0)
        reached.append((tf.gather(renumbered, padded + 1), 1))
    # A slice of a target starts at the vertices, a gather at their neighbours.
    reached = [(target[1:], steps) for target, steps in reached] + [
        (tf.gather(target, neighbours + 1), steps + 1)
        for neighbours in last
        for target, steps in reached
    ]
    # The two lowest bits of a code hold the number of steps, so that one gather fetches both. Codes
    # of missing targets are negative and dropped.
    codes = tf.transpose(tf.stack([4 * target + steps for target, steps in reached]))
    codes = tf.reshape(tf.gather(codes, order), (-1,))
    kept = tf.cast(tf.where(codes >= 0)[:, 0], tf.int32)
    codes = tf.gather(codes, kept)
    # 0.25 * (4 >> steps) is 2^-steps, the weight of a target.
    values = 0.25 * tf.cast(tf.bitwise.right_shift(4, tf.bitwise.bitwise_and(codes, 3)), tf.float32)
    indices = tf.stack([kept // len(reached), tf.bitwise.right_shift(codes, 2)])
    size = tf.size(order)
    return _sparse(tf.transpose(indices), values, (size, size))


def _sparse(indices: tf.Tensor, values: tf.Tensor, shape: Sequence[tf.Tensor]) -> tf.Tensor:
    """Builds a CSR matrix from `(nnz, 2)` indices in row order."""
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=tf.cast(indices, tf.int64), values=values, dense_shape=tf.cast(shape, tf.int64)
    )


def _transpose(matrix: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.SparseMatrixTranspose(input=matrix, type=tf.float32)
