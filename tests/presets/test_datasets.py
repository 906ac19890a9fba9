import pytest

from keras_deeplab.presets.datasets import DATASETS, dataset_of, voc_palette

CLASSES = {
    "voc": 21,
    "cityscapes": 19,
    "pascal_context": 60,
    "person_part": 7,
    "camvid": 11,
    "ade20k": 150,
    "coco_stuff": 182,
}


def test_palette_equals_the_development_kits_first_colours():
    # VOClabelcolormap.m, ids 0, 1, 2, 8 (cat), 15 (person), 20 (tvmonitor), 255 (void).
    palette = voc_palette(256)
    assert [palette[i] for i in (0, 1, 2, 8, 15, 20, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (64, 0, 0),
        (192, 128, 128),
        (0, 64, 128),
        (224, 224, 192),
    ]
    assert len(set(palette)) == 256


@pytest.mark.parametrize("name", DATASETS)
def test_every_label_has_one_name_and_one_colour(name: str):
    row = DATASETS[name]
    assert row.name == name
    assert len(row.class_names) == len(set(row.class_names)) == CLASSES[name]
    assert len(row.palette) == len(set(row.palette)) == CLASSES[name]
    assert all(0 <= level <= 255 for colour in row.palette for level in colour)


def test_label_ids_known_from_the_datasets():
    assert DATASETS["voc"].class_names[15] == "person"
    assert DATASETS["cityscapes"].class_names[13] == "car"
    assert DATASETS["pascal_context"].class_names[37] == "person"
    assert DATASETS["ade20k"].class_names[12] == "person"


def test_a_dataset_is_known_by_the_very_names():
    names = DATASETS["camvid"].class_names
    assert dataset_of(names) is DATASETS["camvid"]
    own = dataset_of(tuple(reversed(names)))
    assert own.class_names == names[::-1]
    assert own.inference_size == (513, 513)
    assert own.palette == voc_palette(11)
    assert own.ignore_class == 255


def test_published_label_files_agree(shared):
    for dataset, file in (("voc", "pascal_voc"), ("cityscapes", "cityscapes")):
        text = (shared / "weights" / f"{file}_segmentation_labels.txt").read_text().strip()
        names = [line.strip() for line in text.split("\n\n")[0].splitlines()]
        # The Cityscapes file counts a background class before the 19.
        ours = list(DATASETS[dataset].class_names)
        assert names in (ours, ["background", *ours])
