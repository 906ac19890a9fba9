"""A signature of SavedModels from JPEG files to labels and shares, for servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_deeplab.inference.fitting import PADDING_LEVEL


def jpeg_function(
    network: keras.Model, *, size: tuple[int, int], ignore_class: int, dtype: str
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns a function from JPEG files to labels.

    Each photo is resized to fit the size and padded with grey, as `segment` does. The padding gets
    the ignored label.
    """
    classes = network.output_shape[-1]

    def fitted(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        own = tf.shape(image)[:2]
        scale = tf.reduce_min(tf.constant(size, tf.float64) / tf.cast(own, tf.float64))
        fit = tf.cast(tf.round(tf.cast(own, tf.float64) * scale), tf.int32)
        fit = tf.clip_by_value(fit, 1, size)
        resized = tf.round(tf.image.resize(image, fit, antialias=True))
        borders = [[0, size[0] - fit[0]], [0, size[1] - fit[1]], [0, 0]]
        padded = tf.pad(resized, borders, constant_values=float(PADDING_LEVEL))
        return tf.ensure_shape(padded, (*size, 3)), fit

    def serve(jpeg: tf.Tensor) -> dict[str, tf.Tensor]:
        types = tf.TensorSpec((*size, 3), tf.float32), tf.TensorSpec((2,), tf.int32)
        images, fits = tf.map_fn(fitted, jpeg, fn_output_signature=types)
        best = tf.argmax(network(images, training=False), axis=-1, output_type=tf.int32)
        rows, columns = (tf.sequence_mask(fits[:, axis], size[axis], tf.bool) for axis in (0, 1))
        inside = rows[:, :, None] & columns[:, None, :]
        # The padding is counted as one more class, which is then left out.
        counted = tf.reshape(tf.where(inside, best, classes), (-1, size[0] * size[1]))
        counts = tf.math.bincount(counted, axis=-1, minlength=classes + 1, maxlength=classes + 1)
        pixels = tf.cast(tf.reduce_prod(fits, axis=1, keepdims=True), tf.float32)
        labels: Any = tf.cast(tf.where(inside, best, ignore_class), dtype)
        shares = tf.cast(counts[:, :classes], tf.float32) / pixels
        return {"labels": labels, "size": fits, "shares": shares}

    return serve
