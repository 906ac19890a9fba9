from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.label_maps import (
    CITYSCAPES_LABEL_IDS,
    PASCAL_CONTEXT_LABELS,
    PERSON_PARTS,
)


def test_every_class_has_a_label():
    assert sorted(set(CITYSCAPES_LABEL_IDS.values())) == [*range(19), 255]
    for (_, classes), label_map in PASCAL_CONTEXT_LABELS.items():
        expected = [*range(59), 255] if classes == 59 else list(range(60))
        assert sorted(set(label_map.values())) == expected
    assert set(PERSON_PARTS.values()) == set(range(1, 7))
    assert len(PERSON_PARTS) == 24


def test_59_labels_are_voc_first():
    """59_labels.txt begins with VOC's 20 classes in VOC's order."""
    label_map = PASCAL_CONTEXT_LABELS["59", 60]
    names = [DATASETS["pascal_context"].class_names[label_map[label]] for label in range(1, 21)]
    voc = [name.replace("diningtable", "table") for name in DATASETS["voc"].class_names[1:]]
    assert names == voc


def test_without_background_all_labels_are_one_less():
    for kind in ("459", "59", "60"):
        with_background = PASCAL_CONTEXT_LABELS[kind, 60]
        for label, index in PASCAL_CONTEXT_LABELS[kind, 59].items():
            assert index == (with_background[label] - 1 if with_background[label] else 255)
