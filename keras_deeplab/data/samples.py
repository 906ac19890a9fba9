"""Photos in the package, for trying it without data of one's own."""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path


def example_photos() -> dict[str, Path]:
    """Returns the paths of photos in the package, by name: "astronaut", "cat" and "motorcycle".

    They are reduced copies of photos that scikit-image ships: an astronaut (NASA, public domain), a
    cat (Stefan van der Walt, CC0) and a motorcycle (Daniel Scharstein, CC0).

    Example:

    >>> sorted(example_photos())
    ['astronaut', 'cat', 'motorcycle']
    """
    folder = Path(str(package_files("keras_deeplab.data"))) / "samples"
    return {path.stem: path for path in sorted(folder.glob("*.jpg"))}


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
    return Path(str(package_files("keras_deeplab.data"))) / "samples" / "coins"
