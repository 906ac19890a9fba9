"""Makes the demo pages' example photos from those that scikit-image ships.

    python tools/make_example_photos.py

chelsea: Stefan van der Walt, CC0. astronaut: NASA, public domain. motorcycle: Daniel Scharstein,
Middlebury stereo data, CC0. coins: Brooklyn Museum, no known copyright restrictions; cut into the
eight photos that the LabelMe files beside them are for.
"""

from pathlib import Path

import skimage.data
from PIL import Image

FOLDER = Path(__file__).parents[1] / "keras_deeplab" / "data" / "samples"
SIDE = 512
# Rows of the photo of coins, and the column between its left and right half in each.
ROWS, MIDDLES = (0, 83, 150, 226, 303), (182, 182, 182, 211)


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
    coins = Image.fromarray(skimage.data.coins())
    for row, middle in enumerate(MIDDLES):
        for side, (left, right) in enumerate(((0, middle), (middle, coins.width))):
            name = f"{'val' if row == 3 else 'train'}/coins_{2 * row + side + 1}.jpg"
            part = coins.crop((left, ROWS[row], right, ROWS[row + 1]))
            part.save(FOLDER / "coins" / name, quality=90, optimize=True)


if __name__ == "__main__":
    main()
