"""Images and labels from TensorFlow Datasets."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from keras_deeplab._validation import check_choice, suggestion
from keras_deeplab.data.masks import map_labels
from keras_deeplab.data.sources import SegmentationData, endless
from keras_deeplab.presets.datasets import DATASETS, Palette, voc_palette
from keras_deeplab.presets.label_maps import ADE20K_LABELS, CITYSCAPES_LABEL_IDS

if TYPE_CHECKING:
    import tensorflow as tf

_IMAGES = ("image", "image_left", "photo", "input")
_LABELS = (
    "labels", "segmentation_mask", "segmentation_label", "annotation", "mask", "masks",
    "segmentation", "label_image", "semantic", "label",
)  # fmt: skip
_NAMES = ("file_name", "image_id", "filename", "name", "id")


# Names, colours and label ids that TFDS does not provide.
_CITYSCAPES, _ADE20K = DATASETS["cityscapes"], DATASETS["ade20k"]
_KNOWN: dict[str, tuple[tuple[str, ...], Palette, dict[int, int]]] = {
    "oxford_iiit_pet": (("pet", "background", "border"), voc_palette(3), {1: 0, 2: 1, 3: 2}),
    "cityscapes": (_CITYSCAPES.class_names, _CITYSCAPES.palette, CITYSCAPES_LABEL_IDS),
    "scene_parse150": (_ADE20K.class_names, _ADE20K.palette, ADE20K_LABELS),
}


@final
@dataclass(eq=False)
class TFDSData(SegmentationData):
    """Images and labels of a prepared TFDS dataset; created by `from_tfds`.

    Records are read by random access, so that a whole pass is shuffled and a stream can start at
    any element.

    Attributes:
        builder: The prepared builder.
        split: Split, or a slice of one such as "train[:80%]".
        image: Key of the image.
        labels: Key of the mask.
        class_names: Names by label id.
        ignore_class: Label of ignored pixels.
        palette: RGB colours by label id.
        label_map: Label id by value of the masks; other values are unchanged.
    """

    builder: Any
    split: str
    image: str
    labels: str
    class_names: tuple[str, ...]
    ignore_class: int
    palette: Palette
    label_map: Mapping[int, int] | None

    def __post_init__(self) -> None:
        """Reads the index of the records."""
        self._files, self._records = _index(self.builder, self.split)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for element in self.stream().take(len(self)).as_numpy_iterator():
            element.pop("position")
            yield element | {"name": element["name"].decode()}

    def stream(self, *, shuffle: bool = False, seed: int = 0, start: int = 0) -> Any:
        import tensorflow as tf

        def read(index: np.int64) -> bytes:
            file, offset, size = self._records[int(index)]
            with tf.io.gfile.GFile(self._files[file], "rb") as stream:
                stream.seek(int(offset))
                return stream.read(int(size))

        def load(index: tf.Tensor) -> dict[str, tf.Tensor]:
            record = tf.numpy_function(read, [index], tf.string, stateful=False)
            return self._element(tf.ensure_shape(record, ()), index)

        return endless(load, len(self), shuffle=shuffle, seed=seed, start=start)

    def _element(self, record: tf.Tensor, index: tf.Tensor) -> dict[str, tf.Tensor]:
        import tensorflow as tf
        import tensorflow_datasets as tfds

        features = self.builder.info.features
        texts = [key for key in _NAMES if key in features and features[key].shape == ()]
        name = next((key for key in texts if features[key].np_dtype == np.object_), None)
        partial = {key: True for key in (self.image, self.labels, name) if key}
        decoding = tfds.decode.PartialDecoding(partial).extract_features(features)
        example = decoding.deserialize_example(record)
        image, labels = example[self.image], example[self.labels]
        if image.shape[-1] == 1:
            image = tf.image.grayscale_to_rgb(image)
        if labels.shape.rank == 3:
            labels = labels[..., 0]
        if self.label_map:
            labels = tf.numpy_function(
                lambda ids: map_labels(ids.astype("uint16"), self.label_map).astype("int32"),
                [labels],
                tf.int32,
                stateful=False,
            )
        return {
            "image": image,
            "labels": tf.cast(labels, tf.int32),
            "name": example[name] if name else tf.strings.as_string(index),
        }


def from_tfds(
    builder: Any,
    split: str = "train",
    *,
    image: str | None = None,
    labels: str | None = None,
    class_names: Sequence[str] | None = None,
    ignore_class: int = 255,
    palette: Palette | None = None,
    label_map: Mapping[int, int] | None = None,
    data_dir: str | None = None,
) -> TFDSData:
    """Reads a TFDS dataset of images and masks.

    Label ids of oxford_iiit_pet (1-3 become 0-2), cityscapes (the 19 classes) and scene_parse150
    (0 is ignored, 1-150 become 0-149) are known. Datasets that TFDS lacks, such as the masks of
    PASCAL VOC 2012, are read by `read_dataset`.

    Args:
        builder: Name of a dataset, e.g. "oxford_iiit_pet" or "cityscapes/semantic_segmentation",
            or a `tfds.core.DatasetBuilder`. A dataset that is not prepared is downloaded.
        split: Split, or a slice of one such as "train[:80%]".
        image: Key of the image. Default: detected.
        labels: Key of the mask. Default: detected.
        class_names: Names by label id. Default: those of the mask's feature.
        ignore_class: Label of ignored pixels.
        palette: RGB colours by label id. Default: VOC's.
        label_map: Label id by value of the masks; other values are unchanged.
        data_dir: Folder of prepared datasets. Default: that of TFDS.

    Raises:
        ModuleNotFoundError: If TFDS is not installed.
        ValueError: If image, mask, split or class names cannot be found.

    Example:

    >>> data = from_tfds("oxford_iiit_pet", "train[:90%]")  # doctest: +SKIP
    >>> data.class_names  # doctest: +SKIP
    ('pet', 'background', 'border')
    """
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"TFDS datasets need {error.name}, which is not installed. Run: "
            'pip install "keras_deeplab[tfds]"'
        ) from error
    if isinstance(builder, str):
        builder = tfds.builder(builder, data_dir=data_dir)
    builder.download_and_prepare()
    features = builder.info.features
    image = image or _find_key("image", _IMAGES, builder)
    labels = labels or _find_key("labels", _LABELS, builder)
    check_choice("image", image, features)
    check_choice("labels", labels, features)
    if builder.name in _KNOWN and class_names is None and label_map is None:
        class_names, colours, label_map = _KNOWN[builder.name]
        palette = palette or colours
    if class_names is None:
        class_names = getattr(features[labels], "names", None)
    if not class_names:
        raise ValueError(
            f"class_names must be given: {builder.info.full_name} does not name the classes of "
            f"{labels!r}. Received: class_names=None."
        )
    names = tuple(class_names)
    palette = palette or voc_palette(len(names))
    return TFDSData(builder, split, image, labels, names, ignore_class, palette, label_map)


def _find_key(name: str, keys: Sequence[str], builder: Any) -> str:
    features = builder.info.features
    is_mask = name == "labels"
    # scene_parse150's masks have three identical channels.
    for channels in ((1,), (1, 3)) if is_mask else ((1, 3),):
        for key in keys:
            shape: tuple[int, ...] = (features[key].shape or ()) if key in features else ()
            if (len(shape) == 3 and shape[-1] in channels) or (len(shape) == 2 and is_mask):
                return key
    raise ValueError(
        f"{builder.info.full_name} must have {name}. Received: features "
        f"{', '.join(features)}. Select one with {name}=."
    )


def _index(builder: Any, split: str) -> tuple[list[str], np.ndarray]:
    """Returns the files of a split, and an int64 array of (file, offset, bytes) by record."""
    info = builder.info
    if info.file_format is None or info.file_format.value != "tfrecord":
        raise ValueError(
            f"{info.full_name} must be prepared as tfrecord. Received: {info.file_format}. Use "
            f"tfds.builder(..., file_format='tfrecord')."
        )
    if split.split("[")[0] not in info.splits:
        raise ValueError(
            f"split must be one of {', '.join(info.splits)}, or a slice such as 'train[:80%]'. "
            f"Received: split={split!r}.{suggestion(split, info.splits)}"
        )
    files: list[str] = []
    records: list[tuple[int, int, int]] = []
    for instruction in info.splits[split].file_instructions:
        places = _records(instruction.filename)[instruction.skip :][: instruction.take]
        records += [(len(files), offset, size) for offset, size in places]
        files.append(instruction.filename)
    if not records:
        raise ValueError(f"A split must hold examples. Received: split={split!r} without any.")
    return files, np.array(records, "int64")


def _records(path: str) -> list[tuple[int, int]]:
    """Returns offset and size of each record of a TFRecord file."""
    import tensorflow as tf

    # A record is its size (8 bytes), a checksum of that (4), the data and a checksum (4).
    places = []
    end = tf.io.gfile.stat(path).length
    with tf.io.gfile.GFile(path, "rb") as stream:
        offset = 0
        while offset < end:
            stream.seek(offset)
            (size,) = struct.unpack("<Q", stream.read(8))
            places.append((offset + 12, size))
            offset += 16 + size
    return places
