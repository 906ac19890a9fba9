"""Augmentation of images with labels, as functions that work eagerly and in `tf.data`.

Each function maps an element, a dict with "image" (height, width, 3) and "labels" (height, width),
to a new element; other keys are preserved. ``seed``, two integers, determines all random choices.
Labels are resampled by nearest neighbour, so that no new labels arise. ``ignore_class`` is the
label of the area outside the image.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Element = dict[str, Any]
# The RGB level that corresponds to the zero padding inside the networks.
FILL = 127.5


def random_scale(
    element: Element, seed: Any, *, minimum: float = 0.5, maximum: float = 2.0, step: float = 0.25
) -> Element:
    """Resizes image, to float32, and labels by a random factor from `minimum` to `maximum`.

    The possible factors are `step` apart; 0 draws any factor in the range.

    Example:

    >>> element = {"image": tf.zeros((40, 60, 3)), "labels": tf.zeros((40, 60), tf.int32)}
    >>> random_scale(element, (0, 1), minimum=2, maximum=2)["labels"].shape
    TensorShape([80, 120])

    Reference:
        Chen et al., arXiv:1606.00915, section 4.1.2 (0.5 to 1.5); arXiv:1706.05587, section 4.1.
    """
    if step:
        choices = round((maximum - minimum) / step) + 1
        drawn = tf.random.stateless_uniform((), seed, 0, choices, tf.int32)
        factor = minimum + step * tf.cast(drawn, tf.float32)
    else:
        factor = tf.random.stateless_uniform((), seed, minimum, maximum)
    size = tf.cast(tf.shape(element["image"])[:2], tf.float32)
    return resize(element, tf.maximum(tf.cast(tf.round(size * factor), tf.int32), 1))


def resize(element: Element, size: Any, *, antialias: bool = False) -> Element:
    """Resizes the image, to float32, bilinearly and the labels by nearest neighbour.

    `antialias` widens the filter when the image is reduced.
    """
    image = tf.image.resize(element["image"], size, antialias=antialias)
    labels = tf.image.resize(element["labels"][..., None], size, method="nearest")[..., 0]
    return {**element, "image": image, "labels": labels}


def random_crop(
    element: Element,
    seed: Any,
    *,
    size: tuple[int, int],
    ignore_class: int = 255,
    largest_share: float = 1.0,
    tries: int = 10,
) -> Element:
    """Crops image and labels at a random position; smaller images are padded first.

    A crop in which one class has more than ``largest_share``, 0 to 1, of the labelled pixels is
    drawn again; the last of ``tries`` is used. 1 accepts any crop. The image becomes float32.

    Example:

    >>> element = {"image": tf.zeros((40, 60, 3)), "labels": tf.zeros((40, 60), tf.int32)}
    >>> random_crop(element, (0, 1), size=(65, 33))["image"].shape
    TensorShape([65, 33, 3])
    """
    element = pad(element, size, seed, ignore_class=ignore_class)
    image, labels = element["image"], element["labels"]
    count = tf.shape(labels) - size + 1

    def uniform(number: tf.Tensor) -> tf.Tensor:
        cut = tf.reshape(tf.slice(labels, _draw(seed, 1 + number, count), size), (-1,))
        cut = tf.cast(tf.boolean_mask(cut, cut != ignore_class), tf.int32)
        counts = tf.math.bincount(cut)
        most = tf.cast(largest_share * tf.cast(tf.size(cut), tf.float32), tf.int32)
        return tf.logical_or(tf.size(cut) == 0, tf.reduce_max(tf.concat([[0], counts], 0)) > most)

    number = tf.constant(0)
    if largest_share < 1:
        number = tf.while_loop(
            lambda n: tf.logical_and(n < tries - 1, uniform(n)), lambda n: (n + 1,), (number,)
        )[0]
    corner = _draw(seed, 1 + number, count)
    image = tf.slice(image, [corner[0], corner[1], 0], [*size, 3])
    return _of_size({**element, "image": image, "labels": tf.slice(labels, corner, size)}, size)


def _draw(seed: Any, number: Any, count: tf.Tensor) -> tf.Tensor:
    """Returns a random position, two integers from 0 to less than `count`."""
    key = tf.random.experimental.stateless_fold_in(seed, number)
    drawn = tf.random.stateless_uniform((2,), key)
    return tf.cast(tf.floor(drawn * tf.cast(count, tf.float32)), tf.int32)


def _of_size(element: Element, size: tuple[int, int]) -> Element:
    return {
        **element,
        "image": tf.ensure_shape(element["image"], (*size, 3)),
        "labels": tf.ensure_shape(element["labels"], size),
    }


def pad(
    element: Element, size: tuple[int, int], seed: Any = None, *, ignore_class: int = 255
) -> Element:
    """Pads image, to float32, and labels to at least ``size`` with mid-grey and ``ignore_class``.

    Without a seed, the image is at the top left, else at a random position.
    """
    labels = element["labels"]
    missing = tf.maximum(size - tf.shape(labels), 0)
    before = tf.zeros((2,), tf.int32)
    if seed is not None:
        before = _draw(seed, 0, missing + 1)
    border = tf.stack([before, missing - before], 1)
    image = tf.cast(element["image"], tf.float32)
    return {
        **element,
        "image": tf.pad(image, tf.concat([border, [[0, 0]]], 0), constant_values=FILL),
        "labels": tf.pad(labels, border, constant_values=tf.cast(ignore_class, labels.dtype)),
    }


def random_flip(element: Element, seed: Any) -> Element:
    """Flips image and labels horizontally with probability 0.5."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    parts = {key: element[key] for key in ("image", "labels")}
    flipped = {key: tf.where(mirrored, tf.reverse(x, [1]), x) for key, x in parts.items()}
    return element | flipped


def photometric(
    element: Element,
    seed: Any,
    *,
    brightness: float = 0.125,
    contrast: float = 0.3,
    saturation: float = 0.3,
    hue: float = 0.03,
) -> Element:
    """Changes brightness, contrast, saturation and hue at random.

    The image becomes float32, RGB 0-255.

    Args:
        element: Image, RGB 0-255, and labels.
        seed: Two integers.
        brightness: Largest shift of the levels, as a fraction of 255.
        contrast: Largest relative change.
        saturation: Largest relative change.
        hue: Largest rotation, as a fraction of the colour circle.
    """
    draws = tf.unstack(tf.random.stateless_uniform((4,), seed, -1, 1))
    image = tf.cast(element["image"], tf.float32) / 255 + brightness * draws[0]
    image = tf.image.adjust_contrast(image, 1 + contrast * draws[1])
    image = tf.clip_by_value(image, 0, 1)
    image = tf.image.adjust_saturation(image, 1 + saturation * draws[2])
    image = tf.image.adjust_hue(image, hue * draws[3])
    return {**element, "image": tf.clip_by_value(255 * image, 0, 255)}


def scale_to_fit(element: Element, size: tuple[int, int]) -> Element:
    """Resizes image, to float32, and labels, up or down, to the largest size that fits ``size``."""
    own = tf.cast(tf.shape(element["labels"]), tf.float32)
    scaled = tf.cast(tf.round(own * tf.reduce_min(tf.constant(size, tf.float32) / own)), tf.int32)
    return resize(element, tf.clip_by_value(scaled, 1, size), antialias=True)


def fit(element: Element, size: tuple[int, int], *, ignore_class: int = 255) -> Element:
    """Resizes image, to float32, and labels to fit ``size`` and pads them to it, like `segment`.

    Example:

    >>> element = {"image": tf.zeros((40, 80, 3)), "labels": tf.zeros((40, 80), tf.int32)}
    >>> fit(element, (60, 60))["labels"][:, 0].numpy().tolist() == 30 * [0] + 30 * [255]
    True
    """
    return _of_size(pad(scale_to_fit(element, size), size, ignore_class=ignore_class), size)
