"""Data for trying the package without photos of one's own: in the package, and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_deeplab._validation import check_int
from keras_deeplab.presets.datasets import voc_palette

CLASS_NAMES = ("background", "balloon", "kite")
_SAMPLES = Path(str(package_files("keras_deeplab.data"))) / "samples"
_SMOOTH = 3
Shape = tuple[np.ndarray, np.ndarray]
_SPLITS = {"train": 24, "val": 8}


def example_photos() -> dict[str, Path]:
    """Returns the paths of photos in the package, by name: "astronaut", "cat" and "motorcycle".

    They are reduced copies of photos that scikit-image ships: an astronaut (NASA, public domain), a
    cat (Stefan van der Walt, CC0) and a motorcycle (Daniel Scharstein, CC0).

    Example:

    >>> sorted(example_photos())
    ['astronaut', 'cat', 'motorcycle']
    """
    return {path.stem: path for path in sorted(_SAMPLES.glob("*.jpg"))}


def example_annotations() -> Path:
    """Returns a folder of photos with LabelMe files, to train a first network on.

    Eight photos of 24 coins, one class: six in train, two in val. They are cut from a photo of the
    Brooklyn Museum (no known copyright restrictions) that scikit-image ships.

    Example:

    >>> from keras_deeplab.data import read_dataset
    >>> data = read_dataset(example_annotations(), "train")
    >>> len(data), data.class_names
    (6, ('background', 'coin'))
    """
    return _SAMPLES / "coins"


def draw_dataset(
    path: str | Path,
    *,
    splits: Mapping[str, int] = _SPLITS,
    size: tuple[int, int] = (192, 256),
    seed: int = 0,
) -> Path:
    """Writes synthetic images of balloons and kites over hills, with their masks, to a folder.

    The layout is DIR/train/images, DIR/train/masks, ..., and DIR/classes.txt, which `read_dataset`
    reads. Neither class is in VOC. The same arguments produce the same files.

    Args:
        path: DIR; created if it does not exist.
        splits: Number of images by split name.
        size: (height, width), pixels.
        seed: Random seed.

    Returns:
        The folder's path.

    Raises:
        ValueError: If a number or a side is too small.

    Example:

    >>> draw_dataset("photos", splits={"train": 12, "val": 4})  # doctest: +SKIP
    PosixPath('photos')
    """
    for side in size:
        check_int("size", side, minimum=32)
    for split, count in splits.items():
        check_int(f"splits[{split!r}]", count, minimum=1)
    path = Path(path).expanduser()
    for number, (split, count) in enumerate(splits.items()):
        for folder in ("images", "masks"):
            (path / split / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            image, labels = _picture(np.random.default_rng([seed, number, index]), size)
            name = f"{split}_{index:03d}"
            image.save(path / split / "images" / f"{name}.jpg", quality=92)
            labels.putpalette([level for colour in voc_palette(256) for level in colour])
            labels.save(path / split / "masks" / f"{name}.png")
    (path / "classes.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES))
    return path


def _picture(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    height, width = size
    # The image is drawn larger than the mask and reduced, for smooth edges.
    image = Image.fromarray(_scene(rng, size)).resize((_SMOOTH * width, _SMOOTH * height))
    labels = Image.new("L", (width, height))
    pens = (ImageDraw.Draw(image), ImageDraw.Draw(labels))
    for index in range(int(rng.integers(1, 4))):
        radius = height * rng.uniform(0.11, 0.24)
        centre = rng.uniform((radius, radius), (width - radius, 0.85 * height - radius))
        label = int((index + rng.integers(0, 2)) % 2) + 1
        for points, colour in (_balloon, _kite)[label - 1](rng, centre, radius):
            pens[0].polygon([tuple(_SMOOTH * point) for point in points], tuple(colour))
            pens[1].polygon([tuple(point) for point in points], label)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    noisy = np.asarray(image, "float32") + rng.normal(0, 4, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype("uint8")), labels


def _scene(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A sky with clouds over a hill."""
    height, width = size
    down = np.linspace(0, 1, height)[:, None, None]
    sky = rng.uniform((60, 110, 170), (140, 180, 235)) * (1 - down) + 225 * down
    clouds = Image.fromarray(rng.integers(0, 256, (5, 7), "uint8"))
    cover = np.asarray(clouds.resize((width, height), Image.Resampling.BICUBIC), "float32")
    cover = np.clip((cover - 130) / 160, 0, 0.8)[..., None]
    scene = sky + cover * (250 - sky)
    x = np.linspace(0, 2 * np.pi, width)
    top = height * (0.82 + 0.07 * np.sin(x * rng.uniform(0.5, 1.5) + rng.uniform(0, 6)))
    hill = rng.uniform((40, 80, 30), (110, 150, 80)) * (1.25 - 0.5 * down)
    below = np.arange(height)[:, None, None] > top[None, :, None]
    return np.where(below, hill, scene).astype("uint8")


def _balloon(rng: np.random.Generator, centre: np.ndarray, radius: float) -> Iterator[Shape]:
    colours = rng.uniform(30, 250, (2, 3)).astype(int)
    x, y = centre
    top, half = y + 1.35 * radius, 0.2 * radius
    bottom = top + 1.5 * half
    basket = [(x - half, top), (x + half, top), (x + half, bottom), (x - half, bottom)]
    yield np.array(basket), np.array((90, 60, 30))
    angle = np.linspace(0, 2 * np.pi, 60)
    across, along = np.sin(angle), -np.cos(angle)
    across = np.where(along > 0, across * (1 - 0.25 * along**2), across)
    along = np.where(along > 0, 1.25 * along, along)
    # From the outside inwards: each stripe is a narrower envelope over the previous one.
    for index, share in enumerate((1.0, 0.75, 0.45, 0.15)):
        outline = np.stack([x + share * radius * across, y + radius * along], -1)
        yield outline, colours[index % 2]


def _kite(rng: np.random.Generator, centre: np.ndarray, radius: float) -> Iterator[Shape]:
    colours = rng.uniform(30, 250, (2, 3)).astype(int)
    turn = rng.uniform(-0.7, 0.7)
    rotation = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    corners = np.array([(0, -1), (0.7, -0.25), (0, 1.2), (-0.7, -0.25)])
    tip, right, tail, left = centre + radius * corners @ rotation.T
    for colour, corner in zip(colours, (right, left), strict=True):
        yield np.stack([tip, corner, tail]), colour
