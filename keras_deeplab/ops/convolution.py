"""Atrous convolution with TensorFlow's native kernel and a fast gradient at every rate."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def atrous_conv2d(x: tf.Tensor, kernel: tf.Tensor, *, rate: tuple[int, int]) -> tf.Tensor:
    """Convolves with stride 1, "same" padding and an atrous rate.

    `tf.nn.convolution`, which Keras calls, rearranges pixels for an ordinary convolution (space to
    batch). The native kernel needs no rearrangement: exports contain a single dilated convolution,
    and a forward pass with a large rate is several times faster on a CPU.

    TensorFlow implements the gradient of the native kernel only on GPUs and on CPUs with oneDNN.
    Here, the gradient of ``x`` is the same convolution of the upstream gradient, with the kernel
    reversed. The gradient of ``kernel`` is one matrix product per tap, over the pixels that the tap
    reads; a tap that is outside the map for most pixels is cheap. Measured on two cores with oneDNN
    (AVX-512), forward and gradient, seconds:

    | batch x map x channels -> filters | rate | space to batch | native gradient | this |
    |---|---|---|---|---|
    | 4 x 32x32 x 2048 -> 256 | 12 | 2.01 | 0.52 | 0.58 |
    | | 24 | 4.78 | 0.59 | 0.26 |
    | | 36 | 4.72 | 0.31 | 0.08 |
    | 8 x 16x16 x 960 -> 256 | 12 | 0.54 | 0.10 | 0.04 |
    | 4 x 32x32 x 512 -> 512 | 4 | 0.30 | 0.25 | 0.23 |
    | 4 x 32x32 x 256 -> 256 | 2 | 0.07 | 0.07 | 0.07 |

    (`tools/benchmark_convolution.py`.)

    ``x`` has shape (batch, height, width, channels), the kernel (height, width, channels, filters)
    with odd sizes; ``rate`` is that of height and width, in pixels of ``x``.

    Returns:
        Tensor of shape (batch, height, width, filters), differentiable any number of times with
        respect to both tensors.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            return [
                atrous_conv2d(upstream, turned, rate=rate),
                _kernel_gradient(x, upstream, kernel.shape[:2], rate),
            ]

        # Explicit padding equal to "SAME", which ONNX runtimes reject for dynamic sizes.
        reach = [r * (int(size) - 1) // 2 for r, size in zip(rate, kernel.shape, strict=False)]
        padding = [[0, 0], *([side, side] for side in reach), [0, 0]]
        y = tf.nn.conv2d(x, kernel, strides=1, padding=padding, dilations=rate)
        return y, gradient

    # Tensors, because custom gradients treat variables as captured inputs.
    return run(tf.convert_to_tensor(x), tf.convert_to_tensor(kernel))


def _kernel_gradient(
    x: tf.Tensor, upstream: tf.Tensor, size: tf.TensorShape, rate: tuple[int, int]
) -> tf.Tensor:
    """Returns the gradient of the kernel: per tap, the sum of outer products over pixels."""
    channels, filters = x.shape[-1], upstream.shape[-1]
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    taps: list[tf.Tensor] = []
    for row in range(size[0]):
        read_rows, write_rows = _shifted((row - size[0] // 2) * rate[0], height)
        for column in range(size[1]):
            read_columns, write_columns = _shifted((column - size[1] // 2) * rate[1], width)
            # One tap at a time: all slices together would need nine times the memory of x.
            with tf.control_dependencies(taps[-1:]):
                read = x[:, read_rows, read_columns]
                written = upstream[:, write_rows, write_columns]
                taps.append(
                    tf.matmul(
                        tf.reshape(read, (-1, channels)),
                        tf.reshape(written, (-1, filters)),
                        transpose_a=True,
                    )
                )
    return tf.reshape(tf.stack(taps), (*size, channels, filters))


def _shifted(offset: int, length: tf.Tensor) -> tuple[slice, slice]:
    """Returns the positions that a tap reads and writes; empty if the tap is outside."""
    if offset >= 0:
        start = tf.minimum(offset, length)
        return slice(start, None), slice(0, length - start)
    end = tf.maximum(length + offset, 0)
    return slice(0, end), slice(length - end, None)
