"""Serves the demo page with Gradio."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_deeplab.cli.demo_page import PAGE_FILES, RESULTS, build_page, import_gradio
from keras_deeplab.cli.page_guard import Guard
from keras_deeplab.data import example_photos


def serve(
    *,
    model: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_megapixels: float = 25,
    max_megabytes: int = 50,
    max_total_megabytes: int = 2000,
    allow_hosts: Sequence[str] = (),
) -> None:
    """Serves the page until interrupted, then deletes uploads and results.

    Args:
        model: Name of weights, or path of a network.
        host: Address to listen on.
        port: Port to listen on.
        max_megapixels: Largest photo accepted, millions of pixels.
        max_megabytes: Largest file accepted.
        max_total_megabytes: Most that uploads and results may take on the disk together.
        allow_hosts: Names by which browsers may address the page, besides ``host``, localhost and
            IP addresses.

    Raises:
        ModuleNotFoundError: If Gradio is not installed.
        OSError: If the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="keras-deeplab-") as folder:
        os.environ.update(
            GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1"
        )
        gr = import_gradio()
        samples = next(iter(example_photos().values())).parent
        guarded = {
            "hosts": (host, *allow_hosts),
            "folder": Path(folder),
            "max_bytes": max_total_megabytes * 10**6,
        }
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
                allowed_paths=[str(Path(folder) / RESULTS), str(samples)],
                app_kwargs={"middleware": [_middleware(guarded)]},
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


def _middleware(settings: dict[str, Any]) -> Any:
    from starlette.middleware import Middleware

    return Middleware(Guard, **settings)
