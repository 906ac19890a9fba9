"""The browser demo: a page that segments photos, served locally by Gradio."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from PIL import Image

from keras_deeplab.cli.arguments import is_model_name
from keras_deeplab.deeplab import DeepLab
from keras_deeplab.inference import Segmenter, open_segmenter
from keras_deeplab.inference.segmentation import OVERLAY_SIZE, Segmentation, segment
from keras_deeplab.presets.crfs import CRFS
from keras_deeplab.presets.weights import WEIGHTS
from keras_deeplab.weights.download import cache_folder

_VIEW_SIZE = 1024
_MOST_PHOTOS = 20
_NO_CRF = "none"
# With this policy, the browser blocks requests for fonts and scripts from other hosts.
_POLICY = (
    b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"style-src 'self' 'unsafe-inline'"
)
_HOVER = """<script>
const readers = new WeakMap();
function classAt(event) {
  const image = event.target;
  if (!image.matches || !image.matches("img.kd-photo")) return;
  let reader = readers.get(image);
  if (!reader) {
    const ids = image.parentElement.querySelector("img.kd-ids");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [ids.naturalWidth, ids.naturalHeight];
    reader = canvas.getContext("2d", {willReadFrequently: true});
    reader.drawImage(ids, 0, 0);
    readers.set(image, reader);
  }
  const box = image.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * reader.canvas.width);
  const y = Math.floor((event.clientY - box.top) / box.height * reader.canvas.height);
  const pixel = reader.getImageData(x, y, 1, 1).data;
  image.closest("figure").querySelector(".kd-class").textContent =
    JSON.parse(image.dataset.names)[pixel[0]] || "";
}
document.addEventListener("pointermove", classAt);
document.addEventListener("pointerdown", classAt);
</script>"""
_CSS = """
.kd-grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr));
  gap: 16px; }
.kd-grid figure { margin: 0; } .kd-photo { width: 100%; cursor: crosshair; display: block; }
.kd-ids { display: none; } .kd-class { float: right; font-weight: 600; }
.kd-legend span { display: inline-block; margin-right: 14px; }
.kd-legend i { display: inline-block; width: 12px; height: 12px; margin-right: 5px;
  border: 1px solid #888; }
.kd-error { color: #b00020; padding: 6px 0; overflow-wrap: anywhere; }
"""


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
    """Segments an uploaded photo; checks its size before decoding its pixels.

    Raises:
        ValueError: If the file is not a photo, is damaged, or has more pixels than allowed.
    """
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


def build_page(
    *, model: str | None = None, max_megapixels: float = 25, folder: str | None = None
) -> Any:
    """Builds the page.

    Args:
        model: Name of weights, or path of a `.keras`, `.tflite` or `.onnx` file or of a
            SavedModel folder. Default: the page offers `local_models`.
        max_megapixels: Largest photo accepted, millions of pixels.
        folder: Folder to write masks and overlays to, for download.

    Returns:
        The `gradio.Blocks`.

    Raises:
        ModuleNotFoundError: If Gradio is not installed.
    """
    gr = import_gradio()
    find = _finder(model)

    def run(paths: Any, name: str, crf: str, opacity: float) -> tuple[Any, str, Any]:
        results: list[tuple[Segmentation, Path]] = []
        errors: list[str] = []
        paths = paths or []
        if len(paths) > _MOST_PHOTOS:
            errors.append(f"Only the first {_MOST_PHOTOS} of {len(paths)} photos are shown.")
        try:
            network = find(name) if paths else None
        except (ValueError, OSError, ModuleNotFoundError) as error:
            return ([], [str(error)]), _cards([], [str(error)], opacity), None
        for path in paths[:_MOST_PHOTOS]:
            try:
                result = segment_photo(
                    network,
                    path,
                    crf=False if crf == _NO_CRF else crf,
                    max_megapixels=max_megapixels,
                )
            except ValueError as error:
                errors.append(str(error))
                continue
            target = Path(tempfile.mkdtemp(dir=folder))
            result.save(target, opacity=opacity)
            # A page may stay open for long: redrawing needs only the reduced photo.
            results.append((result.at_most(OVERLAY_SIZE), target))
        return (results, errors), *draw((results, errors), opacity)

    def draw(state: Any, opacity: float) -> tuple[str, Any]:
        results, errors = state or ([], [])
        saved = []
        for result, target in results:
            mask, overlay = (target / f"{result.name}_{kind}.png" for kind in ("mask", "overlay"))
            result.overlay(opacity=opacity).save(overlay, compress_level=1)
            saved += [str(mask), str(overlay)]
        return _cards([result for result, _ in results], errors, opacity), saved or None

    with gr.Blocks(title="keras-deeplab", analytics_enabled=False) as page:
        gr.Markdown("# keras-deeplab\nSemantic segmentation of photos.")
        state = gr.State(None)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                photos = gr.File(
                    label="Photos", file_count="multiple", file_types=["image"], height=140
                )
                names = [model] if model else local_models()
                choice = gr.Dropdown(names, value=names[0], label="Model")
                crf = gr.Dropdown([_NO_CRF, *CRFS], value=_NO_CRF, label="CRF")
                opacity = gr.Slider(0, 1, 0.5, step=0.05, label="Opacity")
            with gr.Column(scale=2, min_width=320):
                view = gr.HTML(_cards([], [], 0.5))
                downloads = gr.File(label="Masks and overlays", interactive=False)
        for event in (photos.change, choice.change, crf.change):
            event(
                run,
                [photos, choice, crf, opacity],
                [state, view, downloads],
                concurrency_id="network",
                api_visibility="private",
            )
        # `release` fires for the pointer only, not for the arrow keys.
        opacity.change(
            draw,
            [state, opacity],
            [view, downloads],
            trigger_mode="always_last",
            api_visibility="private",
        )
    return page


def serve(
    *,
    model: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_megapixels: float = 25,
    max_megabytes: int = 50,
) -> None:
    """Serves the page until interrupted, then deletes uploads and results.

    Raises:
        ModuleNotFoundError: If Gradio is not installed.
        OSError: If the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="keras-deeplab-") as folder:
        os.environ.update(
            GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1"
        )
        gr = import_gradio()
        page = build_page(model=model, max_megapixels=max_megapixels, folder=folder)
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                ssr_mode=False,
                footer_links=[],
                max_file_size=f"{max_megabytes}mb",
                prevent_thread_lock=True,
                app_kwargs={"middleware": [_policy_middleware()]},
                theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
                css=_CSS,
                head=_HOVER,
            )
        except OSError as error:
            raise OSError(
                f"The port must be free, and the address this machine's. Received: {host}, port "
                f"{port}. Choose another --port or --host."
            ) from error
        print(f"The page is at {url} (Ctrl-C ends it).", flush=True)
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)


def import_gradio() -> Any:
    """Returns Gradio.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("The page needs Gradio. Run: pip install gradio") from error
    return gradio


def _finder(model: str | None) -> Callable[[str], Segmenter]:
    if model:
        opened = open_segmenter(DeepLab(weights=model) if is_model_name(model) else model)
        return lambda name: opened

    @lru_cache(maxsize=2)
    def find(name: str) -> Segmenter:
        return open_segmenter(DeepLab(weights=name))

    return find


def _policy_middleware() -> Any:
    from starlette.middleware import Middleware

    class Policy:
        def __init__(self, app: Any):
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_with_policy(message: Any) -> None:
                if message["type"] == "http.response.start":
                    header = (b"content-security-policy", _POLICY)
                    message = {**message, "headers": [*message["headers"], header]}
                await send(message)

            await self.app(scope, receive, send_with_policy)

    return Middleware(Policy)


def _cards(results: list[Segmentation], errors: list[str], opacity: float) -> str:
    if not results and not errors:
        return "<p>Drop a photo to see its classes.</p>"
    lines = [f'<div class="kd-error" role="alert">{html.escape(e)}</div>' for e in errors]
    return "".join(lines) + (
        f'<div class="kd-grid">{"".join(_card(r, opacity) for r in results)}</div>'
    )


def _card(result: Segmentation, opacity: float) -> str:
    shown = result.at_most(_VIEW_SIZE)
    overlay = shown.overlay(opacity=opacity, legend=False)
    ids = Image.fromarray(shown.labels.astype("uint8"))
    colours = dict(zip(result.class_names, result.colours, strict=True))
    legend = "".join(
        f'<span><i style="background:rgb{colours[name]}"></i>{html.escape(name)} {share:.1%}</span>'
        for name, share in result.shares().items()
    )
    names = html.escape(json.dumps(list(result.class_names)))
    return (
        f'<figure><div><img class="kd-photo" alt="overlay" src="{_url(overlay)}" '
        f'data-names="{names}"><img class="kd-ids" alt="" src="{_url(ids)}"></div>'
        f'<figcaption>{html.escape(result.name)}<span class="kd-class"></span></figcaption>'
        f'<div class="kd-legend">{legend}</div></figure>'
    )


def _url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
