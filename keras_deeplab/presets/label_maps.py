"""Maps from label ids in published mask files to the ids for training."""

from __future__ import annotations

from keras_deeplab.presets.datasets import DATASETS

# cityscapesScripts, helpers/labels.py: label ids with a trainId, in the order of the trainIds.
_CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITYSCAPES_LABEL_IDS: dict[int, int] = {
    label: _CITYSCAPES_IDS.index(label) if label in _CITYSCAPES_IDS else 255 for label in range(34)
}

# ADEChallengeData2016 and scene_parse150: 0 is other objects.
ADE20K_LABELS: dict[int, int] = {0: 255} | {label: label - 1 for label in range(1, 151)}

# COCO-Stuff 10k: 0 is unlabelled. COCO-Stuff 164k holds the ids of the classes.
COCO_STUFF_10K_LABELS: dict[int, int] = {0: 255} | {label: label - 1 for label in range(1, 183)}

# PASCAL-Context's release: values of LabelMap (labels.txt, 1 to 459) that belong to the 59 classes.
# Sorted, they are in the order of the names, and 0 is the background.
_CONTEXT_459 = (
    0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113,
    115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326,
    347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip
_CONTEXT_459_TO_60 = {
    label: _CONTEXT_459.index(label) if label in _CONTEXT_459 else 0 for label in range(460)
}

# The same release's 59_labels.txt: names by value of the PNGs of 59_context_labels, from 1.
_CONTEXT_59_NAMES = (
    "aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, table, dog, horse,"
    "motorbike, person, pottedplant, sheep, sofa, train, tvmonitor, bag, bed, bench, book,"
    "building, cabinet, ceiling, cloth, computer, cup, door, fence, floor, flower, food, grass,"
    "ground, keyboard, light, mountain, mouse, curtain, platform, sign, plate, road, rock, shelves,"
    "sidewalk, sky, snow, bedclothes, track, tree, truck, wall, water, window, wood"
)
_CONTEXT_59_TO_60 = {0: 0} | {
    label: DATASETS["pascal_context"].class_names.index(name.strip())
    for label, name in enumerate(_CONTEXT_59_NAMES.split(","), start=1)
}


def _without_background(label_map: dict[int, int]) -> dict[int, int]:
    return {label: (index or 256) - 1 for label, index in label_map.items()}


# By format of the masks and number of classes. With 59 the background is ignored.
PASCAL_CONTEXT_LABELS: dict[tuple[str, int], dict[int, int]] = {
    ("459", 60): _CONTEXT_459_TO_60,
    ("459", 59): _without_background(_CONTEXT_459_TO_60),
    ("59", 60): _CONTEXT_59_TO_60,
    ("59", 59): _without_background(_CONTEXT_59_TO_60),
    ("60", 60): {label: label for label in range(60)},
    ("60", 59): _without_background({label: label for label in range(60)}),
}

# PASCAL-Part's parts of a person, merged as in arXiv:1511.03339: ids in DATASETS["person_part"].
PERSON_PARTS: dict[str, int] = {
    part: label
    for label, parts in enumerate(
        (
            "head leye reye lear rear lebrow rebrow nose mouth hair",
            "torso neck",
            "luarm ruarm",
            "llarm lhand rlarm rhand",
            "luleg ruleg",
            "llleg lfoot rlleg rfoot",
        ),
        start=1,
    )
    for part in parts.split()
}

# Colours of ignored pixels in colour masks: VOC's label 255, and black in Cityscapes and CamVid.
VOID_COLOURS = ((224, 224, 192), (0, 0, 0))
