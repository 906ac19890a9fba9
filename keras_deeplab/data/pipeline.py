"""From a source to batches for `model.fit`."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from keras_deeplab._validation import check_int
from keras_deeplab.data import augment
from keras_deeplab.data.sources import SegmentationData


def training_batches(
    data: SegmentationData,
    *,
    batch_size: int,
    crop_size: tuple[int, int],
    size: tuple[int, int] | None = None,
    scales: tuple[float, float] | None = (0.5, 2.0),
    scale_step: float = 0.25,
    flip: bool = True,
    photometric: bool | Mapping[str, float] = False,
    largest_share: float = 1.0,
    seed: int = 0,
    start: int = 0,
) -> tf.data.Dataset:
    """Returns an endless dataset of augmented batches.

    Order and augmentation follow from ``seed`` and the position in the stream alone: two runs
    give the same batches, and one that starts at batch n gives what a longer one gives from there.

    Args:
        data: Images and labels.
        batch_size: Images per batch.
        crop_size: (height, width) of the crops, pixels.
        size: (height, width) that images are scaled to fit into first, as `segment` does; so a
            network learns objects in the size that it will see them in. None leaves them.
        scales: Smallest and largest factor of `augment.random_scale`; None: no scaling.
        scale_step: Distance of the factors to choose from; 0 draws from all between.
        flip: Whether to mirror at random.
        photometric: Whether to change colours at random; or arguments of `augment.photometric`.
        largest_share: A crop is drawn again if one class has more than this share of its labelled
            pixels; 1 takes the first.
        seed: Of order and augmentation.
        start: Number of batches to leave out.

    Returns:
        Dataset of (images, labels): float32 (batch_size, height, width, 3), RGB 0-255, and int32
        (batch_size, height, width).

    Raises:
        ValueError: If ``batch_size`` or ``scales`` is out of range.
    """
    check_int("batch_size", batch_size, minimum=1)
    if scales is not None and not 0 < scales[0] <= scales[1]:
        raise ValueError(
            f"scales must be the smallest and the largest factor, above 0. "
            f"Received: scales={scales!r}."
        )
    changes = dict(photometric) if isinstance(photometric, Mapping) else {}

    def vary(element: augment.Element) -> tuple[tf.Tensor, tf.Tensor]:
        base = tf.stack([tf.constant(seed, tf.int64), element["position"]])
        keys = tf.random.experimental.stateless_split(base, 4)
        if size is not None:
            element = augment.scale_to_fit(element, size)
        if scales is not None:
            low, high = scales
            element = augment.random_scale(
                element, keys[0], minimum=low, maximum=high, step=scale_step
            )
        element = augment.random_crop(
            element,
            keys[1],
            size=crop_size,
            ignore_class=data.ignore_class,
            largest_share=largest_share,
        )
        if flip:
            element = augment.random_flip(element, keys[2])
        if photometric:
            element = augment.photometric(element, keys[3], **changes)
        return element["image"], element["labels"]

    stream = data.stream(shuffle=True, seed=seed, start=start * batch_size)
    varied = stream.map(vary, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return varied.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def validation_batches(
    data: SegmentationData, *, batch_size: int, size: tuple[int, int]
) -> tf.data.Dataset:
    """Returns a dataset that passes over the data once, each image fitted into ``size``.

    Args:
        data: Images and labels.
        batch_size: Images per batch; the last one is filled up with grey images whose labels are
            all ignored, so that every batch has one shape.
        size: (height, width) that images are scaled and padded to, pixels.

    Returns:
        Dataset of (images, labels): float32 (batch_size, height, width, 3), RGB 0-255, and int32
        (batch_size, height, width).
    """
    check_int("batch_size", batch_size, minimum=1)
    batches = -(-len(data) // batch_size)

    def fitted(element: augment.Element) -> tuple[tf.Tensor, tf.Tensor]:
        element = augment.fit(element, size, ignore_class=data.ignore_class)
        return element["image"], element["labels"]

    stream = data.stream().take(len(data))
    filler = tf.data.Dataset.from_tensors(
        (
            tf.fill((*size, 3), augment.FILL),
            tf.fill(size, tf.cast(data.ignore_class, tf.int32)),
        )
    ).repeat(batches * batch_size - len(data))
    return (
        stream.map(fitted, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(filler)
        .batch(batch_size, drop_remainder=True)
        .apply(tf.data.experimental.assert_cardinality(batches))
        .prefetch(tf.data.AUTOTUNE)
    )
