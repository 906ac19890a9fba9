"""Datasets: class names by label id, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

Palette = tuple[tuple[int, int, int], ...]


def voc_palette(classes: int) -> Palette:
    """Returns the PASCAL VOC colours of label ids 0 to ``classes - 1``.

    The three lowest bits of an id become the highest bits of red, green and blue, the next three
    bits the second highest, and so on (VOC development kit, `VOClabelcolormap`).

    Example:

    >>> voc_palette(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    return tuple(
        (_colour_level(label), _colour_level(label >> 1), _colour_level(label >> 2))
        for label in range(classes)
    )


def _colour_level(bits: int) -> int:
    return sum((bits >> 3 * bit & 1) << 7 - bit for bit in range(8))


def numbered_classes(classes: int) -> tuple[str, ...]:
    """Returns names for classes that have none.

    Example:

    >>> numbered_classes(2)
    ('class 0', 'class 1')
    """
    return tuple(f"class {label}" for label in range(classes))


@dataclass(frozen=True)
class DatasetRow:
    """One dataset.

    Attributes:
        name: Identifier, as in `DeepLab(weights=...)`.
        title: Name for display.
        class_names: Names by label id.
        palette: RGB colours by label id.
        source: Source of names, order and colours.
        ignore_class: Label that losses and metrics ignore.
        inference_size: (height, width) that photos are resized to fit and padded to, for its
            networks.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    palette: Palette
    source: str
    ignore_class: int = 255
    inference_size: tuple[int, int] = (513, 513)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


_VOC = _names(
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable,"
    "dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor"
)
_CITYSCAPES = _names(
    "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation,"
    "terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle"
)
_PASCAL_CONTEXT = _names(
    "background, aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle,"
    "building, bus, cabinet, car, cat, ceiling, chair, cloth, computer, cow, cup, curtain, dog,"
    "door, fence, floor, flower, food, grass, ground, horse, keyboard, light, motorbike, mountain,"
    "mouse, person, plate, platform, pottedplant, road, rock, sheep, shelves, sidewalk, sign, sky,"
    "snow, sofa, table, track, train, tree, truck, tvmonitor, wall, water, window, wood"
)
_PERSON_PART = _names("background, head, torso, upper arm, lower arm, upper leg, lower leg")
_CAMVID = _names(
    "sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist"
)
_ADE20K = _names(
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,"
    "person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa,"
    "shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp,"
    "bathtub, railing, cushion, base, box, column, signboard, chest of drawers, counter, sand,"
    "sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case,"
    "pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table,"
    "toilet, flower, book, hill, bench, countertop, stove, palm, kitchen island, computer,"
    "swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck, tower, chandelier,"
    "awning, streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land,"
    "bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain,"
    "conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall,"
    "tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot,"
    "animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase,"
    "traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower,"
    "radiator, glass, clock, flag"
)
_COCO_STUFF = _names(
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,"
    "fire hydrant, street sign, stop sign, parking meter, bench, bird, cat, dog, horse,"
    "sheep, cow, elephant, bear, zebra, giraffe, hat, backpack, umbrella, shoe, eye glasses,"
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,"
    "baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup,"
    "fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog,"
    "pizza, donut, cake, chair, couch, potted plant, bed, mirror, dining table, window, desk,"
    "toilet, door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster,"
    "sink, refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier,"
    "toothbrush, hair brush, banner, blanket, branch, bridge, building-other, bush, cabinet,"
    "cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, clothes, clouds, counter,"
    "cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other,"
    "floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other,"
    "grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss,"
    "mountain, mud, napkin, net, paper, pavement, pillow, plant-other, plastic, platform,"
    "playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea, shelf,"
    "sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table,"
    "tent, textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other,"
    "wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind,"
    "window-other, wood"
)
_CITYSCAPES_PALETTE = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
    (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
    (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
    (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
_CAMVID_PALETTE = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
)  # fmt: skip

DATASETS: dict[str, DatasetRow] = {
    row.name: row
    for row in (
        DatasetRow(
            "voc",
            "PASCAL VOC 2012",
            _VOC,
            voc_palette(21),
            "VOC development kit; evaluation size of arXiv:1706.05587",
        ),
        DatasetRow(
            "cityscapes",
            "Cityscapes",
            _CITYSCAPES,
            _CITYSCAPES_PALETTE,
            inference_size=(1025, 2049),
            source="cityscapesScripts, trainIds",
        ),
        DatasetRow(
            "pascal_context",
            "PASCAL-Context",
            _PASCAL_CONTEXT,
            voc_palette(60),
            "names in the order of mmsegmentation's pascal_context",
        ),
        DatasetRow(
            "person_part",
            "PASCAL-Person-Part",
            _PERSON_PART,
            voc_palette(7),
            "arXiv:1606.00915, section 4.3",
        ),
        DatasetRow(
            "camvid",
            "CamVid",
            _CAMVID,
            _CAMVID_PALETTE,
            ignore_class=11,
            inference_size=(360, 480),
            source="the SegNet tutorial's 11 classes",
        ),
        DatasetRow(
            "ade20k",
            "ADE20K",
            _ADE20K,
            voc_palette(150),
            "names in the order of mmsegmentation's ade; the files' 1-150, less 1",
        ),
        DatasetRow(
            "coco_stuff",
            "COCO-Stuff",
            _COCO_STUFF,
            voc_palette(182),
            "label ids of COCO-Stuff 164k; those of 10k less 1",
        ),
    )
}


def dataset_of(class_names: tuple[str, ...]) -> DatasetRow:
    """Returns the dataset with exactly these class names, or a new row for custom classes.

    The new row has the colours, ignored label and inference size of VOC.
    """
    own = DatasetRow("own", "classes of one's own", class_names, voc_palette(len(class_names)), "")
    return next((row for row in DATASETS.values() if row.class_names == class_names), own)
