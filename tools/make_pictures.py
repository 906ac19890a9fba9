"""Makes the pictures of README and docs with the bundled network, and README's printed results.

    python tools/make_pictures.py

Photos: chelsea (CC0, Stefan van der Walt) and the motorcycle (CC0, Daniel Scharstein) of
scikit-image, its astronaut (NASA) and Matplotlib's grace_hopper (US Navy), both in the public
domain.
"""

import argparse
import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PHOTO = "docs/images/chelsea.png"
GAP = 8


def photos() -> dict[str, Image.Image]:
    """Returns the photos by name, some of them cut to the format of a phone."""
    import matplotlib.cbook
    from skimage import data

    from keras_deeplab.data import example_photos

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = Image.open(file).convert("RGB")
    return {
        "chelsea": Image.fromarray(data.chelsea()),
        "astronaut": Image.fromarray(data.astronaut()).crop((60, 0, 350, 512)),
        "motorcycle": Image.open(example_photos()["motorcycle"]),
        "grace_hopper": hopper.crop((90, 0, 430, 600)),
    }


def overlays(model: object, height: int) -> dict[str, Image.Image]:
    """Returns the overlays of the photos, scaled to a height in pixels."""
    from keras_deeplab import segment

    found = {}
    for name, photo in photos().items():
        width = round(photo.width * height / photo.height)
        large = photo.resize((width, height), Image.Resampling.LANCZOS)
        found[name] = segment(model, large).overlay(legend=False)
    return found


def row(pictures: list[Image.Image]) -> Image.Image:
    """Returns pictures of one height beside each other."""
    width = sum(picture.width + GAP for picture in pictures) - GAP
    sheet = Image.new("RGB", (width, pictures[0].height), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


def column(pictures: list[Image.Image], width: int) -> Image.Image:
    """Returns pictures below each other, scaled to a width in pixels."""
    scaled = [p.resize((width, round(p.height * width / p.width))) for p in pictures]
    sheet = Image.new("RGB", (width, sum(p.height + GAP for p in scaled) - GAP), "white")
    top = 0
    for picture in scaled:
        sheet.paste(picture, (0, top))
        top += picture.height + GAP
    return sheet


def with_and_without_crf(model: object) -> Image.Image:
    """Returns a photo's overlays without and with the CRF."""
    from keras_deeplab import segment
    from keras_deeplab.visualize import side_by_side

    photo = photos()["chelsea"]
    results = {"network": segment(model, photo), "with CRF": segment(model, photo, crf=True)}
    shown = {key: result.overlay(legend=False, names=False) for key, result in results.items()}
    return side_by_side(shown, height=photo.height)


def update_readme(model: object) -> None:
    """Writes the output of README's first command and the shares of its first result into it."""
    from keras_deeplab import segment
    from keras_deeplab.cli import main as keras_deeplab

    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        path = Path(folder, PHOTO)
        path.parent.mkdir(parents=True)
        path.write_bytes((ROOT / PHOTO).read_bytes())
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            keras_deeplab(["segment", PHOTO])
    command = re.escape(f"keras-deeplab segment {PHOTO}\n```\n\n")
    text, count = re.subn(
        rf"({command}```\n).*?(```)",
        lambda found: found[1] + printed.getvalue() + found[2],
        text,
        flags=re.DOTALL,
    )
    shares = {
        name: round(share, 2) for name, share in segment(model, str(ROOT / PHOTO)).shares().items()
    }
    text, shown = re.subn(r"(print\(result\.shares\(\)\)  # ).*", rf"\g<1>{shares}", text)
    if (count, shown) != (1, 1):
        raise ValueError(
            f"README must show the command and the shares. Received: {count}, {shown}."
        )
    readme.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras_deeplab import DeepLab

    model = DeepLab(weights="voc")
    found = overlays(model, 440)
    people = row([found["astronaut"], found["grace_hopper"]])
    pictures = {
        "overview.jpg": row([found["motorcycle"], found["chelsea"], people]),
        "overview_phone.jpg": column([found["motorcycle"], people], 640),
        "chelsea_crf.jpg": with_and_without_crf(model),
    }
    for name, picture in pictures.items():
        picture.save(IMAGES / name, quality=85, subsampling=0, optimize=True)
        print(f"{name}: {picture.width}x{picture.height}")
    update_readme(model)


if __name__ == "__main__":
    main()
