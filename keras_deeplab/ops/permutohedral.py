"""High-dimensional Gaussian filtering on the permutohedral lattice (Adams et al. 2010).

A value is spread over the d + 1 vertices of the lattice simplex that its point lies in (splat), the
vertices are blurred along the d + 1 axes of the lattice, and each point reads its value back (slice).
All three steps are products with sparse matrices, so that a filter is built once and used often.

Reference: Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010; scaling and rounding as in the C++ code of Kraehenbuehl and Koltun (NIPS 2011).
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Lattice(NamedTuple):
    """A lattice of d dimensions over N points, with M vertices; d + 1 vectors in each field.

    Attributes:
        vertices: `(N,)` int32, the vertices of the simplex around each point.
        weights: `(N,)` float32, the barycentric coordinates of the point in it.
        above: `(M,)` int32, the vertex one step up each axis, -1 where there is none.
        below: `(M,)` int32, the vertex one step down each axis, -1 where there is none.
    """

    vertices: list[tf.Tensor]
    weights: list[tf.Tensor]
    above: list[tf.Tensor]
    below: list[tf.Tensor]


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


def build_lattice(features: tf.Tensor) -> Lattice:
    """Builds the lattice around points; each entry of a batch gets vertices of its own.

    Args:
        features: `(B, N, d)` float32, in standard deviations of the Gaussian. The lattice has about
            `prod(4 * range)` cells; beyond 2^63 of them keys could wrap around and collide.

    Returns:
        The lattice over all `B * N` points.
    """
    batches, points = tf.unstack(tf.shape(features, tf.int64)[:2])
    d = features.shape[-1]
    base, rank, weights = _simplex(tf.unstack(tf.transpose(tf.reshape(features, (-1, d))), num=d))
    keys, steps = _pack(base, rank, tf.repeat(tf.range(batches), points))

    # Vertices of different colours (coordinates modulo d + 1) differ, so each colour has a small table of
    # its own, and the tables fill in parallel.
    distinct, vertices, offsets = [], [], [tf.constant(0)]
    for key in keys:
        unique, index = tf.unique(key)
        distinct.append(unique)
        vertices.append(index + offsets[-1])
        offsets.append(offsets[-1] + tf.size(unique))
    above = []
    for colour in range(d + 1):
        upper = (colour + 1) % (d + 1)
        # A step up subtracts d from one coordinate and adds 1 to the others. `steps` counts in units of
        # d + 1, where the others change only from the last colour to the first.
        carry = tf.reduce_sum(steps) if upper == 0 else tf.constant(0, tf.int64)
        wanted = tf.reshape(distinct[colour] + carry - steps[:, tf.newaxis], (-1,))
        count = tf.size(distinct[upper])
        found = tf.unique(tf.concat([distinct[upper], wanted], 0)).idx[count:]
        above.append(tf.reshape(tf.where(found < count, found + offsets[upper], -1), (d + 1, -1)))
    neighbours = tf.unstack(tf.concat(above, 1))
    return Lattice(vertices, weights, neighbours, [_inverse(axis) for axis in neighbours])


def build_filter(features: Sequence[tf.Tensor], weights: Sequence[float]) -> LatticeFilter:
    """Builds a weighted sum of symmetrically normalised Gaussian filters over the same points.

    Each filter K becomes `w D K D`, where D holds one over the square roots of K's response to ones.

    Args:
        features: one `(B, N, d)` tensor per filter, in standard deviations of its Gaussian.
        weights: one scalar >= 0 per filter.

    Returns:
        The matrices, for `apply_filter`.

    Example:
        >>> features = tf.random.uniform((1, 100, 5), maxval=10.0)
        >>> apply_filter(build_filter([features], [1.0]), tf.ones((100, 21))).shape
        TensorShape([100, 21])
    """
    tensors = [tf.convert_to_tensor(f, tf.float32) for f in features]
    scales = [tf.convert_to_tensor(w, tf.float32) for w in weights]
    if tf.executing_eagerly():
        return _builder(tuple(t.shape[-1] for t in tensors))(tensors, scales)
    # Variant tensors lose their shapes at a function's border, which a SavedModel does not survive.
    return _build(tensors, scales)


def apply_filter(lattice_filter: LatticeFilter, values: tf.Tensor) -> tf.Tensor:
    """Filters values; differentiable with respect to them, any number of times.

    Args:
        lattice_filter: from `build_filter`.
        values: `(B * N, C)` float32.

    Returns:
        `(B * N, C)` float32.
    """

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

    if tf.executing_eagerly():
        return run(values)
    # Graphs use another kernel than eager calls do, twice as fast on whole SIMD registers.
    channels = tf.shape(values)[1]
    padded = run(tf.pad(values, [[0, 0], [0, -channels % 8]]))
    return tf.ensure_shape(padded[:, :channels], values.shape)


def _keep(matrix: tf.Tensor) -> Callable[[], tf.Tensor]:
    """Keeps a matrix for a gradient function.

    A SavedModel can hold gradient functions that refer to dense tensors, but not to variant ones. Where no
    gradient is taken, TensorFlow prunes the conversion, and elsewhere it converts once.
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
        image: `(B, H, W, 3)`, RGB 0-255.
        kernels: for each its width in pixels, its width in RGB levels (`None`: colours play no part)
            and its weight >= 0.

    Returns:
        A function from `(B, H, W, C)` float32 to the same shape.

    Example:
        >>> image = tf.random.uniform((1, 24, 32, 3), maxval=255.0)
        >>> image_filter(image, [(67.0, 3.0, 4.0), (3.0, None, 3.0)])(tf.ones((1, 24, 32, 21))).shape
        TensorShape([1, 24, 32, 21])
    """
    shape = tf.shape(image)
    y, x = tf.meshgrid(tf.range(shape[1]), tf.range(shape[2]), indexing="ij")
    grid = tf.cast(tf.broadcast_to(tf.stack([x, y], -1), [*tf.unstack(shape[:3]), 2]), tf.float32)
    colours = tf.cast(image, tf.float32)
    features = []
    for position, colour, _ in kernels:
        parts = [grid / position] if colour is None else [grid / position, colours / colour]
        point = tf.concat(parts, -1)
        features.append(tf.reshape(point, (shape[0], shape[1] * shape[2], point.shape[-1])))
    lattice_filter = build_filter(features, [weight for _, _, weight in kernels])

    def run(values: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(values, (-1, values.shape[-1]))
        return tf.reshape(apply_filter(lattice_filter, rows), tf.shape(values))

    return run


@functools.cache
def _builder(dimensions: tuple[int, ...]) -> Callable[..., LatticeFilter]:
    """Returns a function traced once for all sizes; in a graph the kernels of TF run in parallel."""
    points = [tf.TensorSpec((None, None, d), tf.float32) for d in dimensions]
    scales = [tf.TensorSpec((), tf.float32)] * len(dimensions)

    return tf.function(_build, input_signature=[points, scales], autograph=False)


def _build(features: Sequence[tf.Tensor], scales: Sequence[tf.Tensor]) -> LatticeFilter:
    return _compile([build_lattice(f) for f in features], scales)


def _simplex(features: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], ...]:
    """Finds the simplex around each point.

    Tensors are one vector per coordinate: operations along a short last axis are many times slower.

    Args:
        features: d vectors `(N,)`.

    Returns:
        The coordinates of the simplex' vertex of colour 0, divided by d + 1; the rank of each coordinate
        of the point relative to it; and the d + 1 barycentric weights.
    """
    d = len(features)
    spread = math.sqrt(2 / 3) * (d + 1)
    scaled = [f * (spread / math.sqrt((i + 2) * (i + 1))) for i, f in enumerate(features)]
    total = tf.zeros_like(scaled[0])
    elevated = []
    for j in range(d, 0, -1):
        elevated.append(total - j * scaled[j - 1])
        total += scaled[j - 1]
    elevated = [total, *reversed(elevated)]

    base = [tf.round(e * (1 / (d + 1))) for e in elevated]
    rest = [e - (d + 1) * b for e, b in zip(elevated, base, strict=True)]
    rank = [tf.add_n(base)] * (d + 1)
    for i, j in itertools.combinations(range(d + 1), 2):
        lower = tf.cast(rest[i] < rest[j], tf.float32)
        rank[i] += lower
        rank[j] += 1 - lower
    # Rounding can leave the plane on which coordinates sum to zero; this returns to it.
    wrap = [tf.cast(r < 0, tf.float32) - tf.cast(r > d, tf.float32) for r in rank]
    rank = [r + (d + 1) * w for r, w in zip(rank, wrap, strict=True)]
    rest = [x * (1 / (d + 1)) - w for x, w in zip(rest, wrap, strict=True)]
    base = [b + w for b, w in zip(base, wrap, strict=True)]

    for i, j in ((i, j) for i in range(d) for j in range(d - i)):
        rest[j], rest[j + 1] = tf.maximum(rest[j], rest[j + 1]), tf.minimum(rest[j], rest[j + 1])
    weights = [1 + rest[d] - rest[0]] + [rest[d - k] - rest[d - k + 1] for k in range(1, d + 1)]
    return base, rank, weights


def _pack(
    base: Sequence[tf.Tensor], rank: Sequence[tf.Tensor], batch: tf.Tensor
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Packs the vertex of each colour into one int64 key, linear in the vertex' coordinates.

    Returns:
        The keys, one `(N,)` vector per colour, and what a coordinate's change by one adds to a key,
        `(d + 1,)`; the last coordinate follows from the others and is not part of the key.
    """
    d = len(base) - 1
    zero = tf.constant(0, tf.int64)
    # Room for the vertices of other colours (one less) and for all neighbours (one less, one more).
    lows = [tf.reduce_min(b) - 2 for b in base[:d]]
    strides = [tf.constant(1, tf.int64)]
    for b, low in zip(base[:d], lows, strict=True):
        strides.append(strides[-1] * tf.cast(tf.reduce_max(b) + 2 - low, tf.int64))
    key = batch * strides[d]
    for b, low, stride in zip(base[:d], lows, strides[:d], strict=True):
        key += tf.cast(b - low, tf.int64) * stride
    keys = [key]
    for colour in range(1, d + 1):
        passed = [
            tf.where(tf.equal(r, float(d + 1 - colour)), stride, zero)
            for r, stride in zip(rank[:d], strides[:d], strict=True)
        ]
        keys.append(keys[-1] - tf.add_n(passed))
    return keys, tf.stack([*strides[:d], zero])


def _inverse(above: tf.Tensor) -> tf.Tensor:
    """Inverts a partial permutation."""
    size = tf.size(above)
    # Vertices with none above are all sent to row 0, which is cut off.
    below = tf.math.unsorted_segment_max(tf.range(1, size + 1), above + 1, size + 1)[1:]
    return tf.maximum(below, 0) - 1


def _response_to_ones(lattice: Lattice) -> tf.Tensor:
    """Filters the value one at every point; for one channel gathering beats sparse products."""
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


def _compile(lattices: Sequence[Lattice], scales: Sequence[tf.Tensor]) -> LatticeFilter:
    """Joins lattices over the same points into one filter."""
    axes = max(len(lattice.above) for lattice in lattices)
    offsets = tf.cumsum([tf.size(lattice.above[0]) for lattice in lattices], exclusive=True)
    above, below, vertices = [], [], []
    for lattice, offset in zip(lattices, tf.unstack(offsets), strict=True):
        above.append(_move(lattice.above, offset, axes))
        below.append(_move(lattice.below, offset, axes))
        vertices.append([v + offset for v in lattice.vertices])
    pairs = [
        *zip(
            (tf.concat(a, 0) for a in zip(*above, strict=True)),
            (tf.concat(b, 0) for b in zip(*below, strict=True)),
            strict=True,
        )
    ]
    blurs = [_blur(pairs[i : i + 2]) for i in range(0, axes, 2)]

    shares = []
    for lattice, scale in zip(lattices, scales, strict=True):
        # The gain 1 / (1 + 2^-d) of a lattice drops out against that of its response to ones.
        norm = tf.sqrt(scale / (_response_to_ones(lattice) + 1e-20))
        shares += [w * norm for w in lattice.weights]
    columns = tf.stack([*itertools.chain(*vertices)])
    points, size = tf.shape(columns)[1], tf.size(pairs[0][0])
    rows = tf.broadcast_to(tf.range(points), tf.shape(columns))
    # Transposing interleaves vectors three times faster than stacking them along the last axis.
    indices = tf.reshape(tf.transpose(tf.stack([rows, columns]), (2, 1, 0)), (-1, 2))
    values = tf.reshape(tf.transpose(tf.stack(shares)), (-1,))
    slice_matrix = _sparse(indices, values, (points, size))
    splat = _transpose(slice_matrix)
    return LatticeFilter(splat, tuple(blurs), slice_matrix)


def _move(neighbours: Sequence[tf.Tensor], offset: tf.Tensor, axes: int) -> list[tf.Tensor]:
    """Renumbers neighbours; along axes that the lattice lacks there are none."""
    none = tf.fill(tf.shape(neighbours[0]), -1)
    moved = [tf.where(n < 0, n, n + offset) for n in neighbours]
    return moved + [none] * (axes - len(moved))


def _blur(pairs: Sequence[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
    """Blurs along one or two axes in order, as one matrix.

    A product costs as much for reading and writing all vertices as for its nonzeros, of which two axes
    together have barely more than the two one by one: most vertices have few neighbours.

    Args:
        pairs: for each axis the neighbours above and below.
    """
    size = tf.size(pairs[0][0])
    reached = [(tf.range(size), 0)] + [(n, 1) for n in pairs[-1]]
    for neighbours in pairs[:-1]:
        padded = [tf.concat([[-1], n], 0) for n in neighbours]
        reached += [(n, 1) for n in neighbours]
        reached += [(tf.gather(p, v + 1), 2) for v in pairs[-1] for p in padded]
    # The number of steps rides along with the vertex, so that one gather fetches both.
    codes = tf.reshape(tf.transpose(tf.stack([4 * v + steps for v, steps in reached])), (-1,))
    kept = tf.cast(tf.where(codes >= 0)[:, 0], tf.int32)
    codes = tf.gather(codes, kept)
    values = 0.25 * tf.cast(tf.bitwise.right_shift(4, tf.bitwise.bitwise_and(codes, 3)), tf.float32)
    indices = tf.stack([kept // len(reached), tf.bitwise.right_shift(codes, 2)])
    return _sparse(tf.transpose(indices), values, (size, size))


def _sparse(indices: tf.Tensor, values: tf.Tensor, shape: Sequence[tf.Tensor]) -> tf.Tensor:
    """Makes a CSR matrix from `(nnz, 2)` indices in the order of their rows."""
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=tf.cast(indices, tf.int64), values=values, dense_shape=tf.cast(shape, tf.int64)
    )


def _transpose(matrix: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.SparseMatrixTranspose(input=matrix, type=tf.float32)
