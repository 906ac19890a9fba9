"""TFDS builders of PASCAL VOC 2012 with SBD, PASCAL-Context and PASCAL-Person-Part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from keras_deeplab.data.builders.archives import Archive, instructions, unpacked
from keras_deeplab.data.formats.pascal import pascal_context, person_part, voc2012
from keras_deeplab.data.sources import SegmentationFiles
from keras_deeplab.presets.datasets import DATASETS

# As their publishers give the addresses. None was reached from the machine this was written on.
_VOC2012 = Archive(
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "VOC2012/SegmentationClass",
)
_VOC2010 = Archive(
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
    "VOC2010/JPEGImages",
)
_SBD = Archive(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/"
    "benchmark.tgz",
    "benchmark_RELEASE/dataset/cls",
)
_CONTEXT = Archive(
    "https://cs.stanford.edu/~roozbeh/pascal-context/59_context_labels.tar.gz",
    "59_context_labels",
)
_PERSON_PART = Archive(
    "http://www.liangchiehchen.com/data/pascal_person_part.zip", "pascal_person_part_gt"
)


class _Segmentation(tfds.core.GeneratorBasedBuilder):
    """Images as they are published, masks as PNGs of class ids."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}

    def _described(
        self, description: str, class_names: tuple[str, ...], homepage: str, citation: str
    ) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description=description,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(encoding_format="jpeg"),
                    "labels": tfds.features.LabeledImage(
                        labels=list(class_names), shape=(None, None, 1), encoding_format="png"
                    ),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "labels"),
            homepage=homepage,
            citation=citation,
        )

    def _generate_examples(self, data: SegmentationFiles) -> Iterator[tuple[str, dict[str, Any]]]:
        for index, example in enumerate(data.examples):
            # TensorFlow would read a palette PNG as colours: the ids themselves are handed over.
            labels = data.read_labels(index)[..., None]
            yield (
                example.name,
                {"image": example.image, "labels": labels, "file_name": example.name},
            )


class Voc2012Segmentation(_Segmentation):
    """PASCAL VOC 2012 segmentation; with the configuration "trainaug", SBD's masks besides.

    Splits: "train" (1,464; with "trainaug" 10,582) and "val" (1,449).

    Example:

    >>> builder = Voc2012Segmentation(config="trainaug")  # doctest: +SKIP
    >>> builder.download_and_prepare()  # doctest: +SKIP
    """

    name = "voc2012_segmentation"
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name="voc", description="VOC's own masks."),
        tfds.core.BuilderConfig(name="trainaug", description="SBD's masks for training besides."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions(_VOC2012, _SBD)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._described(
            "PASCAL VOC 2012, the segmentation task: 20 classes and background, 255 to ignore.",
            DATASETS["voc"].class_names,
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
            "Everingham et al.: The PASCAL Visual Object Classes Challenge 2012. Hariharan et "
            "al.: Semantic contours from inverse detectors, ICCV 2011.",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root = unpacked(dl_manager, _VOC2012)
        if self.builder_config.name == "trainaug":
            train = voc2012(root, "trainaug", sbd=unpacked(dl_manager, _SBD))
        else:
            train = voc2012(root, "train")
        return {
            "train": self._generate_examples(train),
            "val": self._generate_examples(voc2012(root, "val")),
        }


class PascalContext(_Segmentation):
    """PASCAL-Context in 60 classes, or 59 where the background is ignored.

    Splits: "train" (4,998) and "val" (5,105).
    """

    name = "pascal_context"
    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name="60", description="59 classes and background."),
        tfds.core.BuilderConfig(name="59", description="Background ignored."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions(_VOC2010, _CONTEXT)

    def _info(self) -> tfds.core.DatasetInfo:
        skip = 60 - int(self.builder_config.name)
        return self._described(
            "PASCAL-Context: VOC 2010 with every pixel labelled; 255 to ignore.",
            DATASETS["pascal_context"].class_names[skip:],
            "https://cs.stanford.edu/~roozbeh/pascal-context/",
            "Mottaghi et al.: The role of context for object detection and semantic "
            "segmentation in the wild, CVPR 2014.",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root, labels = unpacked(dl_manager, _VOC2010), unpacked(dl_manager, _CONTEXT)
        classes = int(self.builder_config.name)
        return {
            split: self._generate_examples(
                pascal_context(root, split, classes=classes, labels=labels)
            )
            for split in ("train", "val")
        }


class PascalPersonPart(_Segmentation):
    """PASCAL-Person-Part: head, torso, upper and lower arms and legs.

    Splits: "train" (1,716) and "val" (1,817).
    """

    name = "pascal_person_part"
    MANUAL_DOWNLOAD_INSTRUCTIONS = instructions(_VOC2010, _PERSON_PART)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._described(
            "PASCAL-Person-Part: parts of people in VOC 2010; 255 to ignore.",
            DATASETS["person_part"].class_names,
            "http://liangchiehchen.com/projects/DeepLab.html",
            "Chen et al.: Detect what you can, CVPR 2014. Chen et al.: Attention to scale, "
            "CVPR 2016.",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root, labels = unpacked(dl_manager, _VOC2010), unpacked(dl_manager, _PERSON_PART)
        return {
            split: self._generate_examples(person_part(root, split, labels=labels))
            for split in ("train", "val")
        }
