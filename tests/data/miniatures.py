"""Datasets of a few small images, in the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.presets.datasets import voc_palette
from keras_deeplab.visualize import palette_image

SIZE = (6, 8)


def write_image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), "uint8")
    Image.fromarray(levels).save(path)
    return path


def write_mask(path: Path, labels: np.ndarray | int, *, palette: bool = False) -> Path:
    """Writes a mask; a number stands for a mask full of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.broadcast_to(np.asarray(labels, "uint8"), SIZE).copy()
    image = palette_image(labels, voc_palette(256)) if palette else Image.fromarray(labels)
    image.save(path)
    return path


def write_pairs(images: Path, masks: Path, names: str, *, classes: int = 3) -> None:
    """Writes images and masks of the names in a text; the masks hold 0 to `classes - 1`."""
    for seed, name in enumerate(names.split()):
        write_image(images / f"{name}.jpg", seed)
        labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) // 4 % classes
        write_mask(masks / f"{name}.png", labels)


def write_list(path: Path, names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names.split()))


def save_mat(path: Path, variables: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("scipy.io").savemat(path, variables, do_compression=True)


def struct_array(*rows: dict[str, object]) -> np.ndarray:
    """A MATLAB struct array of shape (1, rows)."""
    array = np.empty((1, len(rows)), [(name, "O") for name in rows[0]])
    for index, row in enumerate(rows):
        array[0, index] = tuple(row.values())
    return array


def make_voc(root: Path, year: int = 2012) -> Path:
    """Images a b (train), c (val), and d e outside VOC's segmentation; e.g. a's mask is of 1."""
    base = root / "VOCdevkit" / f"VOC{year}"
    for seed, name in enumerate("abcde"):
        write_image(base / "JPEGImages" / f"{name}.jpg", seed)
    for label, name in enumerate("abc", start=1):
        labels = np.full(SIZE, label)
        labels[0] = 255
        write_mask(base / "SegmentationClass" / f"{name}.png", labels, palette=True)
    for task in ("Segmentation", "Main"):
        write_list(base / "ImageSets" / task / "train.txt", "a b")
        write_list(base / "ImageSets" / task / "val.txt", "c")
        write_list(base / "ImageSets" / task / "trainval.txt", "a b c")
    return base


def make_sbd(root: Path) -> Path:
    """SBD as published, with b c d: c is in VOC's val, and b's mask differs from VOC's."""
    base = root / "benchmark_RELEASE" / "dataset"
    for label, name in ((11, "b"), (12, "c"), (13, "d")):
        segmentation = np.full(SIZE, label, "uint8")
        save_mat(
            base / "cls" / f"{name}.mat",
            {"GTcls": {"Segmentation": segmentation, "CategoriesPresent": np.array([label])}},
        )
        write_image(base / "img" / f"{name}.jpg", label)
    write_list(base / "train.txt", "b d")
    write_list(base / "val.txt", "c")
    return base


def make_person_mats(folder: Path, names: str) -> None:
    """PASCAL-Part as published: a person with head and hand, and a dog."""
    head, hand = np.zeros((2, *SIZE), "uint8")
    head[0], hand[-1] = 1, 1
    parts = struct_array({"part_name": "leye", "mask": head}, {"part_name": "lhand", "mask": hand})
    one = np.ones(SIZE, "uint8")
    none = np.zeros((0, 0))
    dog = {"class": "dog", "class_ind": 12, "mask": one, "parts": none}
    person = {"class": "person", "class_ind": 15, "mask": one, "parts": parts}
    for name in names.split():
        objects = struct_array(dog) if name == "b" else struct_array(dog, person)
        save_mat(folder / f"{name}.mat", {"anno": {"imname": name, "objects": objects}})


def make_cityscapes(root: Path) -> None:
    labels = np.resize(np.arange(34), SIZE)
    for split, city, name in (
        ("train", "aachen", "aachen_000000_000019"),
        ("train", "bremen", "bremen_000000_000019"),
        ("val", "lindau", "lindau_000000_000019"),
    ):
        write_image(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
        folder = root / "gtFine" / split / city
        write_mask(folder / f"{name}_gtFine_labelIds.png", labels)
        write_mask(folder / f"{name}_gtFine_instanceIds.png", 1)


def make_camvid(root: Path, *, tutorial: bool) -> None:
    """CamVid in the SegNet tutorial's layout, or in folders images and labels."""
    for split, names in (("train", "0001TP_1 0006R0_2"), ("val", "0016E5_3"), ("test", "x")):
        if tutorial:
            write_pairs(root / split, root / f"{split}annot", names, classes=12)
            lines = [
                f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png"
                for name in names.split()
            ]
            (root / f"{split}.txt").write_text("\n".join(lines))
        else:
            write_pairs(root / split / "images", root / split / "labels", names, classes=12)
