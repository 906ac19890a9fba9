"""A page that runs a network in the visitor's browser, as a folder of files for any web host."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from importlib.resources import as_file
from importlib.resources import files as package_files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keras_deeplab._files import write_atomically
from keras_deeplab._validation import listed
from keras_deeplab.cli.arguments import is_model_name
from keras_deeplab.data import example_photos
from keras_deeplab.visualize import display_palette, has_background
from keras_deeplab.weights.download import cache_folder, file_sha256

# MIT licence. The archive holds the builds for all platforms; the page needs two of them: one for
# WebGPU and a smaller and faster one for the CPU.
RUNTIME = "onnxruntime-web-1.30.0.tgz"
_URL = f"https://registry.npmjs.org/onnxruntime-web/-/{RUNTIME}"
_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
_RUNTIME_FILES = (
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_NETWORK = "network.onnx"
_SETTINGS = "model.json"


def write_static_page(folder: str | Path, *, model: str | None = None) -> Path:
    """Writes the page: HTML, scripts, example photos, onnxruntime-web and the network.

    Args:
        folder: New or empty folder, or that of such a page; returned.
        model: Name of weights, or path of a `.keras` file. Default: "voc".
    """
    target = Path(folder).expanduser()
    if target.exists() and not (target / _SETTINGS).is_file() and any(target.iterdir()):
        raise ValueError(
            f"--static must name a new or empty folder, or one that holds such a page. Received: "
            f"{str(target)!r}."
        )
    missing = [name for name in ("tf2onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"The page needs a network in ONNX. Run: pip install {' '.join(missing)}"
        )
    archive = _runtime_archive()
    target.mkdir(parents=True, exist_ok=True)
    settings = _write_network(target / _NETWORK, model or "voc")
    with as_file(package_files("keras_deeplab.cli").joinpath("page_files")) as files:
        shutil.copytree(files, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("demo.*"))
    _unpack(archive, target / "ort")
    photos = target / "examples"
    photos.mkdir(exist_ok=True)
    for path in example_photos().values():
        shutil.copyfile(path, photos / path.name)
    settings["examples"] = list(example_photos())
    (target / _SETTINGS).write_text(json.dumps(settings) + "\n", encoding="utf-8")
    return target


def _write_network(path: Path, name: str) -> dict[str, Any]:
    """Exports the network, and returns the page's settings."""
    from keras_deeplab.exports import export
    from keras_deeplab.inference import InferenceOptions, open_segmenter

    model = _keras_model(name)
    segmenter = open_segmenter(model)
    size = segmenter.resolve_size(InferenceOptions())
    if len(segmenter.class_names) > 256 or size is None:
        raise ValueError(
            f"The page needs a network of at most 256 classes with an inference size. Received: "
            f"{len(segmenter.class_names)} classes, inference size {size}."
        )
    export(model, path, input_size=size, batch=1, class_names=segmenter.class_names)
    path.with_name(f"{path.name}.json").unlink()
    names, palette = segmenter.class_names, segmenter.palette
    clear = 0 if has_background(palette) else None
    shown = [one for label, one in enumerate(names) if label != clear]
    return {
        "size": size,
        "names": names,
        "palette": display_palette(palette),
        "mask_palette": palette,
        "clear": clear,
        "summary": listed(shown),
        "bytes": path.stat().st_size,
    }


def _keras_model(name: str) -> Any:
    if is_model_name(name):
        from keras_deeplab.deeplab import DeepLab

        return DeepLab(weights=name)
    if not name.endswith(".keras"):
        raise ValueError(
            f"--static needs a name or a .keras file, which it exports to ONNX. Received: {name!r}."
        )
    from keras_deeplab.models.keras_file import load_keras_file

    return load_keras_file(Path(name).expanduser())


def _runtime_archive() -> Path:
    """Returns the archive of onnxruntime-web: from the mirror, the cache, or npm's registry."""
    mirror = os.environ.get("KERAS_DEEPLAB_MIRROR", "")
    is_url = mirror.startswith(("http://", "https://"))
    local = Path(mirror).expanduser() / RUNTIME
    if mirror and not is_url and local.is_file() and file_sha256(local) == _SHA256:
        return local
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(
            pooch.retrieve(
                f"{mirror.rstrip('/')}/{RUNTIME}" if is_url else _URL,
                known_hash=f"sha256:{_SHA256}",
                fname=RUNTIME,
                path=cache_folder(),
                progressbar=True,
            )
        )
    except Exception as error:  # transports raise many different exceptions
        raise ConnectionError(
            f"onnxruntime-web could not be downloaded ({type(error).__name__}). Without internet "
            f"access, fetch {_URL} (33 MB) elsewhere, and put it into {cache_folder()}."
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with tarfile.open(archive) as tar:
        for name in _RUNTIME_FILES:
            source = tar.extractfile(f"package/dist/{name}")
            if source is None:
                raise ValueError(f"{archive} must hold {name}. Delete it.")
            with write_atomically(folder / name) as partial, partial.open("wb") as file:
                shutil.copyfileobj(source, file)
