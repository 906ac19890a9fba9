"""The browser demo: a page that segments photos, served locally by Gradio."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from PIL import Image

from keras_deeplab.cli.arguments import is_model_name
from keras_deeplab.cli.page_cards import (
    SavedResult,
    cards,
    file_url,
    save_result,
    status,
    zip_results,
)
from keras_deeplab.data import example_photos
from keras_deeplab.deeplab import DeepLab
from keras_deeplab.inference import Segmenter, open_segmenter
from keras_deeplab.inference.segment_photos import segment
from keras_deeplab.inference.segmentation import Segmentation
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights.download import cache_folder

RESULTS = "results"
_MOST_PHOTOS = 20
_NO_CRF = "none"
_CRF_WORDS = {
    _NO_CRF: "Off",
    "v1": "Standard: follows the edges of the photo",
    "v2_resnet101": "Fine: keeps small parts (DeepLab v2)",
    "v1_msc": "Wide: joins larger regions (DeepLab v1, multi-scale)",
    "v1_deeplab": "Tolerant of colour changes inside an object",
    "pydensecrf": "Smooth: strongest, five iterations",
}
PAGE_FILES = Path(str(package_files("keras_deeplab.cli"))) / "page_files"
_OTHER_SOURCES = (
    '<button class="kd-shoot" type="button">Take a photo</button><div class="kd-examples">{}</div>'
)
_EMPTY = '<p class="kd-empty">Drop a photo, or click an example.</p>'


def build_page(
    *, model: str | None = None, max_megapixels: float = 25, folder: str | None = None
) -> Any:
    """Returns the page, `gradio.Blocks`.

    Args:
        model: Name of weights, or path of a network. Default: the page offers `local_models`.
        max_megapixels: Largest photo accepted, millions of pixels.
        folder: Folder to write masks and overlays to, for download.
    """
    gr = import_gradio()
    results = Path(folder or tempfile.mkdtemp(prefix="keras-deeplab-")) / RESULTS
    runner = _Runner(gr, model, results, max_megapixels)
    with gr.Blocks(title="keras-deeplab", analytics_enabled=False) as page:
        gr.Markdown(
            "# keras-deeplab\nFinds the regions of known classes in photos. "
            "Photos stay on the machine that serves this page."
        )
        state = gr.State([])
        with gr.Row(elem_classes="kd-row"):
            with gr.Column(scale=1, min_width=280, elem_classes="kd-controls"):
                photos = gr.File(label="Photos", file_count="multiple", file_types=["image"])
                gr.HTML(_OTHER_SOURCES.format(_examples()))
                choice = gr.Dropdown(
                    runner.names,
                    value=runner.names[0],
                    label="Model",
                    info="Other names of 'keras-deeplab list' appear here once downloaded.",
                )
                crf = gr.Dropdown(
                    [*((words, name) for name, words in _CRF_WORDS.items())],
                    value=_NO_CRF,
                    label="Sharper borders (dense CRF)",
                )
                opacity = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity")
            with gr.Column(scale=3, min_width=320, elem_classes="kd-results"):
                line = gr.HTML(status("", []))
                view = gr.HTML(_EMPTY)
                archive = gr.DownloadButton("Download all (zip)", visible=False)
        for event in (photos.change, choice.change, crf.change):
            event(
                runner.run,
                [photos, choice, crf, opacity],
                [state, view, line, archive],
                concurrency_id="network",
                show_progress="hidden",
                trigger_mode="always_last",
                api_visibility="private",
            )
        # `release` fires for the pointer only, not for the arrow keys.
        opacity.change(
            runner.draw,
            [state, opacity],
            [view, archive],
            show_progress="hidden",
            trigger_mode="always_last",
            api_visibility="private",
        )
    return page


def _examples() -> str:
    # A click puts the photo into the file input, as demo.js says.
    return "".join(
        f'<button type="button" class="kd-example" data-name="{path.name}" title="{path.stem}">'
        f'<img alt="{path.stem}" src="{file_url(path)}"></button>'
        for path in example_photos().values()
    )


class _Runner:
    """What the page does when a photo or a setting changes."""

    def __init__(self, gr: Any, model: str | None, folder: Path, max_megapixels: float) -> None:
        self.gr = gr
        self.names = [model] if model else local_models()
        self.folder = folder
        folder.mkdir(exist_ok=True)
        find = finder(model)

        # A photo that comes back, as after a look at another setting, is not computed again.
        @lru_cache(maxsize=2 * _MOST_PHOTOS)
        def saved(path: str, name: str, crf: str) -> SavedResult:
            start = time.perf_counter()
            preset = False if crf == _NO_CRF else crf
            result = segment_photo(find(name), path, crf=preset, max_megapixels=max_megapixels)
            return save_result(result, folder, seconds=time.perf_counter() - start)

        self.saved = saved

    def run(self, paths: Any, name: str, crf: str, opacity: float) -> Iterator[tuple[Any, ...]]:
        """Yields results, their HTML, the line on progress and the zip file, photo by photo."""
        paths = paths or []
        done: list[SavedResult] = []
        errors: list[str] = []
        if len(paths) > _MOST_PHOTOS:
            errors.append(f"Only the first {_MOST_PHOTOS} of {len(paths)} photos are shown.")
            paths = paths[:_MOST_PHOTOS]
        start = time.perf_counter()
        for number, path in enumerate(paths, 1):
            line = f"Segmenting {Path(path).name} ({number} of {len(paths)}) ..."
            yield list(done), cards(done, opacity), status(line, errors), self._archive([], opacity)
            try:
                done.append(self.saved(path, name, crf))
            except (ValueError, OSError, ModuleNotFoundError) as error:
                errors.append(str(error))
        line = f"{len(done)} of {len(paths)} done"
        seconds = time.perf_counter() - start
        line += f" in {seconds:.1f} s." if seconds > 0.05 else "."  # Kept results take no time.
        yield (
            done,
            cards(done, opacity) or _EMPTY,
            status(line if paths else "", errors),
            self._archive(done, opacity),
        )

    def draw(self, done: list[SavedResult], opacity: float) -> tuple[str, Any]:
        """Returns the HTML and the zip file with another opacity."""
        return cards(done, opacity) or _EMPTY, self._archive(done, opacity)

    def _archive(self, done: list[SavedResult], opacity: float) -> Any:
        if not done:
            return self.gr.DownloadButton(visible=False)
        return self.gr.DownloadButton(value=str(zip_results(done, opacity)), visible=True)


def import_gradio() -> Any:
    """Returns Gradio, or raises `ModuleNotFoundError` if it is not installed."""
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("The page needs Gradio. Run: pip install gradio") from error
    return gradio


def local_models() -> list[str]:
    """Returns "voc" and the names of the weights already downloaded to this machine."""
    mirror = os.environ.get("KERAS_DEEPLAB_MIRROR", "")
    folders = [cache_folder()]
    if mirror and "://" not in mirror:
        folders.append(Path(mirror).expanduser())
    bundled = Path(str(package_files("keras_deeplab"))) / "weights" / "bundled"
    return ["voc"] + [
        row.name
        for row in WEIGHTS.values()
        if not (row.recommended and row.dataset == "voc")
        and any((f / row.file).is_file() for f in ([bundled] if row.url is None else folders))
    ]


def segment_photo(
    model: Any, path: str | Path, *, crf: str | bool, max_megapixels: float
) -> Segmentation:
    """Segments an uploaded photo; checks its size before decoding its pixels."""
    name = Path(path).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                with Image.open(path) as image:
                    width, height = image.size
            except (OSError, SyntaxError):
                width = height = 0  # `segment` reports the error
            if width * height > max_megapixels * 1e6:
                raise ValueError(
                    f"The photo must have at most {max_megapixels:g} megapixels. Received: "
                    f"{width}x{height}. Scale it down, or start with a higher --max-megapixels."
                )
            return segment(model, path, crf=crf)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name}: The photo must have at most {max_megapixels:g} megapixels. Received: many "
            f"more. Scale it down."
        ) from error
    except (ValueError, OSError) as error:
        raise ValueError(f"{name}: {str(error).replace(str(path), name)}") from error


def finder(model: str | None) -> Callable[[str], Segmenter]:
    """Returns the function that opens a network by name; with `model`, it always is that one."""
    if model:
        opened = open_segmenter(DeepLab(weights=model) if is_model_name(model) else model)
        return lambda name: opened

    @lru_cache(maxsize=2)
    def find(name: str) -> Segmenter:
        return open_segmenter(DeepLab(weights=name))

    return find
