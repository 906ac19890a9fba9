"""Reads datasets in the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

from keras_deeplab._validation import check_choice
from keras_deeplab.data.formats.classes import known_classes
from keras_deeplab.data.formats.folder import read_folder
from keras_deeplab.data.formats.pairing import (
    examples_of,
    files_by_stem,
    find_folder,
    need_folder,
    read_names,
)
from keras_deeplab.data.mat_file import has_person_parts
from keras_deeplab.data.sources import Example, SegmentationFiles
from keras_deeplab.presets.label_maps import CITYSCAPES_LABEL_IDS, PASCAL_CONTEXT_LABELS

_IMAGE, _MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"
_PETS = ("pet", "background", "border")
_PETS_LABELS = {1: 0, 2: 1, 3: 2}
_MASK_SUFFIXES = (".png", ".mat")


def cityscapes(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads Cityscapes' fine annotations in its 19 classes, from leftImg8bit and gtFine in `root`.

    The splits are "train" (2,975), "val" (500) and "test" (1,525; every pixel of its published
    masks is ignored).
    """
    check_choice("split", split, ("train", "val", "test"))
    images = need_folder(root, f"leftImg8bit/{split}", what="Cityscapes")
    masks = images.parents[1] / "gtFine" / split
    examples = [
        Example(
            image.name.removesuffix(_IMAGE),
            image,
            masks / image.parent.name / image.name.replace(_IMAGE, _MASK),
        )
        for image in sorted(images.glob(f"*/*{_IMAGE}"))
    ]
    if not examples:
        raise FileNotFoundError(
            f"The folder must hold CITY/NAME{_IMAGE}. Received: {str(images)!r} without any."
        )
    missing = [str(example.mask) for example in examples if not example.mask.exists()]
    if missing:
        raise FileNotFoundError(
            f"Every image must have a mask. Received: {len(missing)} of {len(examples)} without, "
            f"such as {missing[0]!r}. gtFine_trainvaltest.zip holds them."
        )
    return SegmentationFiles(
        examples, label_map=CITYSCAPES_LABEL_IDS, **known_classes("cityscapes")
    )


def camvid(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads CamVid in the 11 classes of the SegNet tutorial: train (367), val (101), test (233).

    The folder has train, trainannot, val, ... as in the tutorial, or train/images, train/labels.
    """
    check_choice("split", split, ("train", "val", "test"))
    return read_folder(root, split, **known_classes("camvid"))


def pets_splits(root: str | Path) -> tuple[str, ...]:
    """Returns the splits of `pets`: "train", and "test" if its list is there."""
    return ("train", "test") if _pets_list(root, "test.txt") else ("train",)


def _pets_list(root: str | Path, file: str) -> Path | None:
    return find_folder(root, f"annotations/{file}", file, depth=1)


def pets(root: str | Path, split: str = "train") -> SegmentationFiles:
    """Reads the trimaps of the Oxford-IIIT pets, from images and annotations/trimaps in `root`.

    The splits are "train" (the list trainval.txt, 3,680) and "test" (3,669). Without these lists,
    all images are "train".
    """
    check_choice("split", split, ("train", "test"))
    images = files_by_stem(need_folder(root, "images", what="Oxford pets"))
    folder = need_folder(root, "annotations/trimaps", "trimaps", what="Oxford pets")
    masks = files_by_stem(folder, (".png",))
    file = "trainval.txt" if split == "train" else "test.txt"
    names = _pets_list(root, file)
    if names is not None:
        chosen = [name.split()[0] for name in read_names(names)]
    elif split == "train":
        names, chosen = folder, [name for name in images if name in masks]
    else:
        raise FileNotFoundError(f"The split list must exist. Received: no {file} in {str(root)!r}.")
    return SegmentationFiles(
        examples_of(chosen, images, masks, names), class_names=_PETS, label_map=_PETS_LABELS
    )


def voc2012(
    root: str | Path, split: str = "train", *, sbd: str | Path | None = None
) -> SegmentationFiles:
    """Reads PASCAL VOC 2012's segmentation from the folder VOC2012, or one above it.

    The splits are "train", "val", "trainval" and "trainaug", which adds the masks of SBD: it has
    the images in SBD or VOC's train that are not in VOC's val (10,582), or those in
    ImageSets/Segmentation/trainaug.txt if it exists. VOC's own mask has precedence.

    `sbd` is a folder with SBD's masks: SegmentationClassAug (PNG) or benchmark_RELEASE (MATLAB
    files, as published). By default, they are searched in `root` and in its parent folder.
    """
    check_choice("split", split, ("train", "val", "trainval", "trainaug"))
    base = _devkit(root, "PASCAL VOC 2012", "SegmentationClass")
    lists = base / "ImageSets" / "Segmentation"
    images = files_by_stem(base / "JPEGImages")
    masks = files_by_stem(base / "SegmentationClass", _MASK_SUFFIXES)
    if split != "trainaug":
        names = lists / f"{split}.txt"
        examples = examples_of(read_names(names), images, masks, names)
        return SegmentationFiles(examples, **known_classes("voc"))
    places = [sbd] if sbd is not None else [base, root, Path(root).expanduser().parent]
    extra = _sbd_masks(places)
    if (extra.parent / "img").is_dir():
        images = files_by_stem(extra.parent / "img") | images
    train, held_out = (read_names(lists / f"{name}.txt") for name in ("train", "val"))
    masks = files_by_stem(extra, _MASK_SUFFIXES) | {name: masks[name] for name in train}
    names = lists / "trainaug.txt"
    chosen = read_names(names) if names.exists() else sorted(masks.keys() - set(held_out))
    return SegmentationFiles(examples_of(chosen, images, masks, names), **known_classes("voc"))


def pascal_context(
    root: str | Path, split: str = "train", *, classes: int = 60, labels: str | Path | None = None
) -> SegmentationFiles:
    """Reads PASCAL-Context in 60 `classes`, or in 59 to ignore the background.

    `root` contains, within three levels, JPEGImages of PASCAL VOC 2010; it or the folder `labels`
    contains the masks: SegmentationClassContext (PNG, as mmsegmentation writes them),
    59_context_labels (PNG) or trainval (MATLAB files) as published. The splits "train" (4,998),
    "val" (5,105) and "trainval" are the lists ImageSets/Main, or ImageSets/SegmentationContext if
    it exists.
    """
    check_choice("split", split, ("train", "val", "trainval"))
    check_choice("classes", classes, (59, 60))
    base = _devkit(root, "PASCAL-Context")
    formats = {"SegmentationClassContext": "60", "59_context_labels": "59", "trainval": "459"}
    folder = need_folder(labels or root, *formats, what="PASCAL-Context")
    masks = files_by_stem(folder, _MASK_SUFFIXES)
    names = base / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    if not names.exists():
        names = base / "ImageSets" / "Main" / f"{split}.txt"
    # In some formats, a few images of Main have no mask.
    chosen = [name for name in read_names(names) if name in masks]
    examples = examples_of(chosen, files_by_stem(base / "JPEGImages"), masks, names)
    label_map = PASCAL_CONTEXT_LABELS[formats[folder.name], classes]
    facts = known_classes("pascal_context", skip=60 - classes)
    return SegmentationFiles(examples, label_map=label_map, **facts)


def person_part(
    root: str | Path, split: str = "train", *, labels: str | Path | None = None
) -> SegmentationFiles:
    """Reads PASCAL-Person-Part: head, torso, upper and lower arms and legs.

    `root` contains, within three levels, JPEGImages; it or the folder `labels` contains the masks:
    pascal_person_part_gt (PNG) or Annotations_Part (MATLAB files), as published. The splits are
    "train" (1,716), "val" (1,817) and "trainval": train_id.txt, ... (or train.txt, ... of pairs)
    next to the PNG masks. With PASCAL-Part's MATLAB files alone, they are the images of VOC's
    ImageSets/Main with annotated person parts; finding them is slow.
    """
    check_choice("split", split, ("train", "val", "trainval"))
    image_folder = need_folder(root, "JPEGImages", what="PASCAL-Person-Part")
    folder = need_folder(
        labels or root, "pascal_person_part_gt", "Annotations_Part", what="PASCAL-Person-Part"
    )
    masks = files_by_stem(folder, _MASK_SUFFIXES)
    places = ("pascal_person_part_trainval_list", "ImageSets/SegmentationPersonPart")
    lists = [f"{place}/{split}{end}.txt" for end in ("_id", "") for place in places]
    names = find_folder(labels or root, *lists, f"{split}_id.txt")
    if names is not None:
        chosen = read_names(names)
    else:
        names = image_folder.parent / "ImageSets" / "Main" / f"{split}.txt"
        chosen = [
            name
            for name in read_names(names)
            if name in masks and (masks[name].suffix == ".png" or has_person_parts(masks[name]))
        ]
    examples = examples_of(chosen, files_by_stem(image_folder), masks, names)
    return SegmentationFiles(examples, **known_classes("person_part"))


def _devkit(root: str | Path, what: str, *needed: str) -> Path:
    images = need_folder(
        root,
        "VOC2012/JPEGImages" if needed else "JPEGImages",
        "JPEGImages",
        what=what,
        remedy="Pass the folder that VOC's archive was extracted to.",
    )
    for name in (*needed, "ImageSets"):
        if not (images.parent / name).is_dir():
            raise FileNotFoundError(
                f"The folder of {what} must hold {name}. Received: {str(images.parent)!r}."
            )
    return images.parent


def _sbd_masks(places: list[str | Path]) -> Path:
    names = ("SegmentationClassAug", "benchmark_RELEASE/dataset/cls", "dataset/cls", "cls")
    for place in places:
        if Path(place).name == "SegmentationClassAug":
            return Path(place).expanduser()
        found = find_folder(place, *names, depth=1)
        if found is not None:
            return found
    raise FileNotFoundError(
        f"The split 'trainaug' must find SBD's masks, {names[0]} or {names[1]}. Received: "
        f"{', '.join(repr(str(place)) for place in places)}. Extract them there or pass sbd=."
    )
