"""`tf.data` pipelines from a data source to batches for `model.fit`."""

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

    Order and augmentation depend only on ``seed`` and on the position in the stream. Runs with the
    same seed produce the same batches, also when they start at a later batch.

    Args:
        data: Images and labels.
        batch_size: Images per batch.
        crop_size: (height, width) of the crops, pixels.
        size: (height, width) to resize images to fit before augmentation, like `segment`, so that
            objects have the same size as at inference. None: images keep their size.
        scales: Smallest and largest factor of `augment.random_scale`; None: no scaling.
        scale_step: Spacing of the possible factors; 0 draws any factor in the range.
        flip: Whether to flip images horizontally at random.
        photometric: Whether to change colours at random; or arguments of `augment.photometric`.
        largest_share: Largest share, 0 to 1, of the labelled pixels of a crop that one class may
            have; other crops are drawn again. 1 accepts any crop.
        seed: Random seed of the image order and augmentation.
        start: Number of batches to skip.

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
    """Returns a dataset of one pass over the data, with each image resized to fit ``size``.

    Args:
        data: Images and labels.
        batch_size: Images per batch. The last batch is padded with grey images, whose labels are
            all ignored, so that all batches have the same shape.
        size: (height, width) that images are resized to fit and padded to, pixels.

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
    blank = (tf.fill((*size, 3), augment.FILL), tf.fill(size, data.ignore_class))
    filler = tf.data.Dataset.from_tensors(blank).repeat(batches * batch_size - len(data))
    return (
        stream.map(fitted, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(filler)
        .batch(batch_size, drop_remainder=True)
        .apply(tf.data.experimental.assert_cardinality(batches))
        .prefetch(tf.data.AUTOTUNE)
    )
