"""The page without a server, in headless Chromium."""

import functools
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DeepLab, segment
from keras_deeplab.cli import static_page
from keras_deeplab.cli.commands import main
from keras_deeplab.data import example_photos

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A folder with onnxruntime-web, as `npm pack` writes it.
ARCHIVES = Path(os.environ.get("KERAS_DEEPLAB_ONNXRUNTIME_WEB", "/nowhere"))
EXAMPLES = next(iter(example_photos().values())).parent


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the packaged network."""
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    if not (ARCHIVES / static_page.RUNTIME).is_file():
        pytest.skip(f"{static_page.RUNTIME} is not in KERAS_DEEPLAB_ONNXRUNTIME_WEB")
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_DEEPLAB_MIRROR", str(ARCHIVES))
        return static_page.write_static_page(folder)


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(url: str) -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    fake_camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *fake_camera]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        page.set_default_timeout(60_000)
        page.asked = set()
        page.on("request", lambda request: page.asked.add(request.url))
        page.goto(url)
        playwright.expect.set_options(timeout=60_000)
        playwright.expect(page.locator("#status")).to_contain_text("Ready")
        page.expect = playwright.expect
        yield page
        browser.close()


@pytest.mark.slow
def test_masks_are_those_of_python(page, url: str, tmp_path: Path):
    photos = [*sorted(EXAMPLES.glob("*.jpg")), tmp_path / "large.png", tmp_path / "turned.jpg"]
    with Image.open(EXAMPLES / "cat.jpg") as cat:
        cat.resize((1501, 999), Image.Resampling.BICUBIC).save(photos[-2])
        exif = Image.Exif()
        exif[0x0112] = 6
        cat.save(photos[-1], exif=exif, quality=95)
    (tmp_path / "text.jpg").write_text("not a photo")
    model = DeepLab(weights="voc")
    page.locator("#files").set_input_files([*photos, tmp_path / "text.jpg"])
    page.expect(page.locator("#status")).to_contain_text("5 of 6 done")
    page.expect(page.locator("#failures")).to_have_text(
        "text.jpg: This browser cannot read it as a photo. Convert it to JPEG or PNG."
    )
    for place, photo in enumerate(reversed(photos)):
        with page.expect_download() as download:
            page.locator(".mask").nth(place).click()
        assert download.value.suggested_filename == f"{photo.stem}_mask.png"
        result = segment(model, photo)
        with Image.open(download.value.path()) as mask:
            assert mask.mode == "P"
            palette = [level for colour in result.palette for level in colour]
            assert mask.getpalette()[:63] == palette
            assert np.mean(np.asarray(mask) == result.labels) >= 0.99, photo.name
    with page.expect_download() as download:
        page.get_by_text("Download all (zip)").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        files = [f"{photo.stem}_{kind}.png" for photo in photos for kind in ("mask", "overlay")]
        assert archive.namelist() == files
        with archive.open("turned_mask.png") as file, Image.open(file) as mask:
            assert mask.size == (300, 451)
    assert all(address.startswith((url, "blob:", "data:")) for address in page.asked)


@pytest.mark.slow
def test_example_and_camera(page):
    page.get_by_role("button", name="cat").click()
    page.expect(page.locator("#grid .kd-legend")).to_contain_text("cat")
    page.locator(".kd-view").hover()
    page.expect(page.locator(".kd-class")).to_have_text("cat")
    page.get_by_role("button", name="Live camera").click()
    page.expect(page.locator("#status")).to_contain_text("frames per second")
    page.get_by_role("button", name="Stop the camera").click()
    page.expect(page.locator("#stage")).to_be_hidden()


def test_wrong_folders_and_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "other.txt").touch()
    assert main(["demo", "--static", str(tmp_path)]) == 1
    assert "--static must name a new or empty folder" in capsys.readouterr().err


def test_without_network_the_message_names_the_file(tmp_path: Path, capsys):
    assert main(["demo", "--static", str(tmp_path / "site")]) == 1
    message = capsys.readouterr().err
    assert "onnxruntime-web could not be downloaded" in message
    assert static_page.RUNTIME in message
    assert not (tmp_path / "site").exists()
