"""Makes the demo pages' example photos from those that scikit-image ships.

    python tools/make_example_photos.py

chelsea: Stefan van der Walt, CC0. astronaut: NASA, public domain. motorcycle: Daniel Scharstein,
Middlebury stereo data, CC0.
"""

from pathlib import Path

import skimage.data
from PIL import Image

FOLDER = Path(__file__).parents[1] / "keras_deeplab" / "data" / "samples"
SIDE = 512


def main() -> None:
    photos = {
        "cat": skimage.data.chelsea(),
        "astronaut": skimage.data.astronaut(),
        "motorcycle": skimage.data.stereo_motorcycle()[0],
    }
    for name, photo in photos.items():
        image = Image.fromarray(photo)
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        path = FOLDER / f"{name}.jpg"
        image.save(path, quality=85, optimize=True)
        print(f"{path.name}: {image.size}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
