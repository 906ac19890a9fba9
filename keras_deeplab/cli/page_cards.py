"""Results of the demo page: files of each photo, and the cards that show them."""

from __future__ import annotations

import html
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from keras_deeplab.inference.segmentation import OVERLAY_SIZE, Segmentation
from keras_deeplab.visualize import has_background

_VIEW_SIZE = 1024


@dataclass(frozen=True)
class SavedResult:
    """A photo and its mask, reduced to an overlay's size, and a folder with their files."""

    result: Segmentation
    folder: Path
    size: tuple[int, int]
    seconds: float

    @property
    def mask(self) -> Path:
        """The mask, in the photo's size."""
        return self.folder / f"{self.result.name}_mask.png"

    def overlay(self, opacity: float, *, shown: bool = False) -> Path:
        """Returns the file of the overlay with a legend, or as the page shows it; draws it once."""
        name = "view.png" if shown else f"{self.result.name}_overlay.png"
        path = self.folder / f"{opacity:.2f}" / name
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            result = self.result.at_most(_VIEW_SIZE) if shown else self.result
            result.overlay(opacity=opacity, legend=not shown).save(path, compress_level=1)
        return path


def save_result(result: Segmentation, folder: Path, *, seconds: float) -> SavedResult:
    """Writes the mask and the files that the page shows into a new folder in `folder`."""
    height, width = result.labels.shape
    target = Path(tempfile.mkdtemp(dir=folder))
    result.save(target, overlay=False)
    shown = result.at_most(_VIEW_SIZE)
    Image.fromarray(shown.image).save(target / "photo.png", compress_level=1)
    Image.fromarray(shown.labels.astype("uint8")).save(target / "ids.png")
    return SavedResult(result.at_most(OVERLAY_SIZE), target, (height, width), seconds)


def zip_results(results: Sequence[SavedResult], opacity: float) -> Path:
    """Writes the masks and overlays of all photos into one file."""
    path = results[-1].folder / "masks_and_overlays.zip"
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w") as archive:
        for number, one in enumerate(results, 1):
            repeated = one.mask.name in taken
            taken.add(one.mask.name)
            for file in (one.mask, one.overlay(opacity)):
                archive.write(file, f"{number}_{file.name}" if repeated else file.name)
    return path


def cards(results: Sequence[SavedResult], opacity: float) -> str:
    """Returns the HTML of all results; "" if there are none."""
    if not results:
        return ""
    return f'<div class="kd-grid">{"".join(_card(one, opacity) for one in results)}</div>'


def status(line: str, errors: Sequence[str]) -> str:
    """Returns the HTML of the line on progress, and of errors."""
    wrong = "".join(f'<div class="kd-error" role="alert">{html.escape(e)}</div>' for e in errors)
    return f'{wrong}<div class="kd-status" role="status">{html.escape(line)}</div>'


def _card(one: SavedResult, opacity: float) -> str:
    result = one.result
    colours = dict(zip(result.class_names, result.colours, strict=True))
    # The background has no colour.
    clear = result.class_names[0] if has_background(result.palette) else None
    legend = "".join(
        f'<li><i style="background:rgb{colours[name]}"></i>{html.escape(name)} {share:.1%}</li>'
        for name, share in result.shares().items()
        if share >= 0.0005 and name != clear
    )
    legend = legend or "none of the classes"
    names = html.escape(json.dumps(list(result.class_names)))
    name, (height, width) = html.escape(result.name), one.size
    links = "".join(
        f'<a href="{file_url(file)}" download="{html.escape(file.name)}">{words}</a>'
        for words, file in (("Mask", one.mask), ("Overlay", one.overlay(opacity)))
    )
    return (
        f'<figure class="kd-card"><div class="kd-view" data-names="{names}">'
        f'<img class="kd-photo" alt="photo" src="{file_url(one.folder / "photo.png")}">'
        f'<img class="kd-overlay" alt="overlay" src="{file_url(one.overlay(opacity, shown=True))}">'
        f'<img class="kd-ids" alt="" src="{file_url(one.folder / "ids.png")}">'
        f'<input class="kd-cut" type="range" min="0" max="100" value="0" '
        f'aria-label="Compare photo and overlay"><div class="kd-bar"></div>'
        f'<div class="kd-class"></div></div><figcaption><div class="kd-name"><b>{name}</b>'
        f"<span>{width}\u00d7{height}, {one.seconds:.1f} s</span></div>"
        f'<ul class="kd-legend">{legend}</ul><p class="kd-links">{links}</p></figcaption></figure>'
    )


def file_url(path: Path) -> str:
    """Returns the address of a file under the paths that the server allows."""
    return f"gradio_api/file={quote(str(path))}"
