"""`keras-deeplab demo`: the browser demo."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from keras_deeplab.cli.arguments import add_model, add_options
from keras_deeplab.cli.startup import quiet_start


def add_parser(commands: Any) -> None:
    """Adds the command."""
    demo = commands.add_parser(
        "demo",
        help="segment photos in a browser",
        description="Serves a page on this machine to drop photos, view their classes and download "
        "the masks. Requires: pip install gradio. With --static, writes a page that runs the "
        "network in the visitor's browser instead.",
        epilog="Examples: keras-deeplab demo --port 8000; keras-deeplab demo --static site",
    )
    add_model(
        demo,
        "name (see 'keras-deeplab list'), .keras, .tflite or .onnx file, or folder of a "
        "SavedModel (default: the page offers all weights on this machine)",
        default=None,
    )
    add_options(
        demo,
        """
        --static DIR: write a page for any web host instead of serving one: it runs in the
            visitor's browser and uploads nothing. Requires: pip install tf2onnx onnxruntime
        --host HOST: address to serve at
        --port PORT: (default: %(default)s)
        --max-megapixels N: reject photos with more pixels (default: %(default)s)
        --max-megabytes N: reject larger files
        --max-total-megabytes N: reject uploads once uploads and results take more
        --allow-host NAME: names by which browsers may address the page, as behind a proxy;
            localhost and IP addresses always may
        """,
        host="127.0.0.1",
        port={"type": int, "default": 7860},
        max_megapixels={"type": float, "default": 25},
        max_megabytes=50,
        max_total_megabytes=2000,
        allow_host={"nargs": "+", "default": []},
    )
    demo.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.static:
        return _write_page(arguments)
    if not 1 <= arguments.port <= 65535:
        raise ValueError(f"--port must be between 1 and 65535. Received: {arguments.port}.")
    for option in ("max_megapixels", "max_megabytes", "max_total_megabytes"):
        if not getattr(arguments, option) > 0:
            words = option.replace("_", "-")
            raise ValueError(f"--{words} must be above 0. Received: {getattr(arguments, option)}.")
    _serve(arguments)
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    """Serves the page until interrupted, then deletes uploads and results."""
    with quiet_start():
        from keras_deeplab.cli.demo_page import PAGE_FILES, RESULTS, build_page, import_gradio

        gr = import_gradio()
        from starlette.middleware import Middleware

        from keras_deeplab.cli.page_guard import Guard
        from keras_deeplab.data import example_photos
    host, port = arguments.host, arguments.port
    if host not in ("127.0.0.1", "::1", "localhost"):
        print(
            f"keras-deeplab: anyone who can reach {host} can use the page: it has no password.",
            file=sys.stderr,
        )
    # A service manager's SIGTERM ends it like Ctrl-C, so that uploads are deleted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="keras-deeplab-") as folder:
        os.environ.update(
            GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1"
        )
        guard: Any = Middleware(
            Guard,
            hosts=(host, *arguments.allow_host),
            folder=Path(folder),
            max_bytes=arguments.max_total_megabytes * 10**6,
        )
        page = build_page(
            model=arguments.model, max_megapixels=arguments.max_megapixels, folder=folder
        )
        samples = next(iter(example_photos().values())).parent
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                ssr_mode=False,
                footer_links=[],
                max_file_size=f"{arguments.max_megabytes}mb",
                prevent_thread_lock=True,
                allowed_paths=[str(Path(folder) / RESULTS), str(samples)],
                app_kwargs={"middleware": [guard]},
                theme=gr.themes.Default(
                    primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["monospace"]
                ),
                css_paths=[PAGE_FILES / "cards.css", PAGE_FILES / "demo.css"],
                head="".join(
                    f"<script>{(PAGE_FILES / name).read_text('utf-8')}</script>"
                    for name in ("cards.js", "demo.js")
                ),
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


def _write_page(arguments: argparse.Namespace) -> int:
    print(f"writing the page to {arguments.static} ...", file=sys.stderr, flush=True)
    with quiet_start():
        from keras_deeplab.cli.static_page import write_static_page

        folder = write_static_page(arguments.static, model=arguments.model)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{folder}: {size / 1e6:.0f} MB. Copy it to any web host, or look at it here:\n"
        f"python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(folder))} 8000"
    )
    return 0
