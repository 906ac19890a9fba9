"""Construction of the permutohedral lattice (Adams et al. 2010).

Reference: Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010; scaling and rounding as in the C++ code of Kraehenbuehl and Koltun (NIPS 2011).
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Lattice(NamedTuple):
    """A lattice of d dimensions over N points, with M vertices; d + 1 vectors in each field.

    Attributes:
        vertices: `(N,)` int32, the vertices of the simplex around each point.
        weights: `(N,)` float32, the barycentric coordinates of the point in it.
        above: `(M,)` int32, the vertex one step up each axis, -1 if it does not exist.
        below: `(M,)` int32, the vertex one step down each axis, -1 if it does not exist.
    """

    vertices: list[tf.Tensor]
    weights: list[tf.Tensor]
    above: list[tf.Tensor]
    below: list[tf.Tensor]


def build_lattice(features: tf.Tensor) -> Lattice:
    """Builds the lattice around points; the entries of a batch share no vertices.

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

    # Vertices of different colours (coordinates modulo d + 1) are distinct, so each colour has its
    # own small table, and the tables are built in parallel.
    distinct, vertices, offsets = [], [], [tf.constant(0)]
    for key in keys:
        unique, index = tf.unique(key)
        distinct.append(unique)
        vertices.append(index + offsets[-1])
        offsets.append(offsets[-1] + tf.size(unique))
    above = []
    for colour in range(d + 1):
        upper = (colour + 1) % (d + 1)
        # A step up subtracts d from one coordinate and adds 1 to the others. Keys count in units of
        # d + 1, so the other coordinates change (`carry`) only from the last colour to the first.
        carry = tf.reduce_sum(steps) if upper == 0 else tf.constant(0, tf.int64)
        wanted = tf.reshape(distinct[colour] + carry - steps[:, tf.newaxis], (-1,))
        count = tf.size(distinct[upper])
        found = tf.unique(tf.concat([distinct[upper], wanted], 0)).idx[count:]
        above.append(tf.reshape(tf.where(found < count, found + offsets[upper], -1), (d + 1, -1)))
    neighbours = tf.unstack(tf.concat(above, 1))
    return Lattice(vertices, weights, neighbours, [_inverse(axis) for axis in neighbours])


def _simplex(features: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], ...]:
    """Finds the simplex around each point.

    Tensors are one vector per coordinate: operations along a short last axis are many times slower.

    Returns:
        The coordinates of the simplex' vertex of colour 0, divided by d + 1; the rank of each
        coordinate of the point relative to it; and the d + 1 barycentric weights.
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
    excess = tf.add_n(base)
    rank = [excess + float(i) for i in range(d + 1)]
    for i, j in itertools.combinations(range(d + 1), 2):
        lower = tf.cast(rest[i] < rest[j], tf.float32)
        rank[i] += lower
        rank[j] -= lower
    # Rounding can leave the plane where coordinates sum to zero; this step returns to it.
    turns = [tf.floor(r / (d + 1)) for r in rank]
    rank = [r - (d + 1) * t for r, t in zip(rank, turns, strict=True)]
    rest = [x * (1 / (d + 1)) + t for x, t in zip(rest, turns, strict=True)]
    base = [b - t for b, t in zip(base, turns, strict=True)]

    # A sorting network, because only the value at each rank is needed.
    for last in range(d, 0, -1):
        for j in range(last):
            upper, lower = rest[j], rest[j + 1]
            rest[j], rest[j + 1] = tf.maximum(upper, lower), tf.minimum(upper, lower)
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
    # Space for the vertices of other colours (one less) and for neighbours (one less or more).
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
    # Vertices without a neighbour above are written to row 0, which is removed.
    below = tf.math.unsorted_segment_max(tf.range(1, size + 1), above + 1, size + 1)[1:]
    return tf.maximum(below, 0) - 1
