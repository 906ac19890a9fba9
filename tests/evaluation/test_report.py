"""The report in a browser: its numbers are the JSON's, it needs nothing else and fits a phone."""

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DenseCRF, evaluate
from keras_deeplab.evaluation import write_report
from keras_deeplab.evaluation.page import percent
from keras_deeplab.evaluation.report import gallery
from tests.evaluation.conftest import colour_model

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE_WIDTH = 390


class Page(HTMLParser):
    """Collects the marked numbers, images, links and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.numbers: dict[str, tuple[str, str]] = {}
        self.images: list[dict] = []
        self.tags: set[str] = set()
        self._open: dict | None = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag == "data":
            self._open = dict(attributes)

    def handle_data(self, text):
        if self._open is not None:
            self.numbers[self._open["id"]] = (self._open["value"], text)
            self._open = None


@pytest.fixture
def result(examples):
    crf = DenseCRF(bilateral_weight=0, spatial_weight=20, num_iterations=2)
    examples[0]["name"] = "<b>&photo"
    names = ("red", "<green>", "blue & more", "grey")
    model = colour_model(names)
    return evaluate(
        model, examples, size=48, crf=crf, pictures=2, trimap_width=12, progressbar=False
    )


@pytest.fixture
def files(result, tmp_path) -> tuple[dict, Path]:
    data, report = write_report(result, tmp_path / "out")
    assert (data.name, report.name) == ("result.json", "report.html")
    return json.loads(data.read_text("utf-8")), report


@pytest.fixture
def browser(tmp_path):
    """Runs a browser on a page; returns the DOM after loading."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium is installed")

    def run(page: Path, *options: str) -> str:
        command = [
            program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/b",
            "--disable-background-networking", "--virtual-time-budget=4000", *options,
            "--dump-dom", page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return run


def at(result: dict, place: str):
    for key in place.split("."):
        result = result[int(key) if isinstance(result, list) else key]
    return result


def test_json_holds_every_measure(result, files):
    data, _ = files
    assert data["mean_iou"] == result.mean_iou
    assert data["crf"]["mean_iou"] == result.crf.mean_iou
    assert data["class_iou"][3] is None
    assert data["confusion"] == result.confusion.tolist()
    assert data["trimap"]["widths"] == list(range(1, 13))
    assert len(data["images"]) == 5
    assert data["protocol"]["size"] == [48, 48]
    assert data["class_names"] == ["red", "<green>", "blue & more", "grey"]


def check_numbers(page: Page, data: dict) -> None:
    for place, (value, text) in page.numbers.items():
        expected = at(data, place)
        assert value == ("" if expected is None else str(expected)), place
        assert text == percent(expected), place
    measures = (
        "mean_iou",
        "mean_iou_in_truth",
        "pixel_accuracy",
        "frequency_weighted_iou",
        "boundary_iou",
    )
    places = [
        *measures,
        *(f"class_iou.{label}" for label in range(4)),
        *(f"class_boundary_iou.{label}" for label in range(4)),
        *(f"trimap.{key}.{i}" for key in ("mean_iou", "pixel_accuracy") for i in (0, 1, 2, 4, 9)),
    ]
    crf = [f"crf.{place}" for place in places if "class_boundary" not in place]
    assert page.numbers.keys() == {*places, *crf}


def test_the_page_stands_alone(files):
    data, report = files
    text = report.read_text("utf-8")
    page = Page(text)
    check_numbers(page, data)
    assert not page.tags & {"script", "link", "iframe", "b"}
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?!data:)(?:https?:|//|\w+\.)", text)
    assert "&lt;b&gt;&amp;photo" in text
    assert "prefers-color-scheme: dark" in text
    assert '<html lang="en">' in text
    # Four pictures: image and truth, and prediction and errors without and with CRF.
    assert len(page.images) == 4 * 6
    assert all(image["alt"] and image["src"].startswith("data:image/") for image in page.images)


def test_a_browser_shows_the_numbers_of_the_json(files, browser):
    data, report = files
    check_numbers(Page(browser(report)), data)


def test_the_page_fits_a_phone(result, browser, tmp_path):
    log = [{"epoch": i, "loss": 1234.5 / i, "learning_rate": 0.0125 / i} for i in (1, 2, 3)]
    _, report = write_report(result, tmp_path / "out", training_log=log)
    # A headless window can't be as narrow as a phone; a frame can.
    probe = tmp_path / "probe.html"
    script = (
        "<script>onload = () => { const d = document.documentElement, i = [...document.images];"
        "const e = document.createElement('pre'); e.textContent = 'width ' + d.scrollWidth + '/' "
        "+ d.clientWidth + ' shown ' + i.filter(x => x.naturalWidth).length + '/' + i.length"
        "+ ' clipped ' + [...document.querySelectorAll('.scroll:not([role])')]"
        ".filter(x => x.scrollWidth > x.clientWidth).length + ' cut '"
        "+ [...document.querySelectorAll('svg text')].filter(x => {"
        "const a = x.getBoundingClientRect(), b = x.ownerSVGElement.getBoundingClientRect();"
        "return a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom})"
        ".length;"
        "parent.postMessage(e.textContent, '*'); }</script>"
    )
    inner = escape(report.read_text("utf-8").replace("</head>", f"{script}</head>"))
    probe.write_text(
        "<script>onmessage = (e) => { document.body.append(e.data) }</script><body>"
        f'<iframe width="{PHONE_WIDTH}" height="800" style="border:0" srcdoc="{inner}"></iframe>',
        "utf-8",
    )
    shown = re.search(
        r"width (\d+)/(\d+) shown (\d+)/(\d+) clipped (\d+) cut (\d+)</body>", browser(probe)
    )
    assert shown is not None
    scroll, client, drawn, images, clipped, cut = map(int, shown.groups())
    assert scroll <= client <= PHONE_WIDTH
    assert drawn == images == 24
    # Only the confusion matrix scrolls sideways.
    assert clipped == 0
    assert cut == 0


def test_without_crf_and_pictures(examples, model, tmp_path):
    result = evaluate(model, examples[:1], size="own", pictures=0, progressbar=False)
    _, report = write_report(result, tmp_path)
    page = Page(report.read_text("utf-8"))
    assert page.images == []
    assert not any("crf" in place for place in page.numbers)
    assert "1 image, 4 classes. Images at their own size" in report.read_text("utf-8")


def test_curves_of_the_training(result, tmp_path: Path):
    log = [{"epoch": 1, "loss": 0.5, "learning_rate": 0.1}]
    _, page = write_report(result, tmp_path, training_log=log)
    text = page.read_text("utf-8")
    assert "<h2>Training</h2>" in text
    assert text.count('class="curves"') == 3  # borders, loss, learning rate
    _, page = write_report(result, tmp_path)
    assert "<h2>Training</h2>" not in page.read_text("utf-8")


def decoded(figure: dict) -> np.ndarray:
    kind, _, data = figure["source"].partition(",")
    assert kind == "data:image/jpeg;base64"
    array = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert array.shape == (figure["height"], figure["width"], 3)
    return array.astype(int)


@pytest.fixture
def pictured(model, examples):
    return evaluate(model, examples, size="own", pictures=1, progressbar=False)


def test_the_worst_come_first(pictured):
    (worst_title, (worst,)), (best_title, (best,)) = gallery(pictured)
    assert (worst_title, best_title) == ("Worst images", "Best images")
    assert worst["mean_iou"] == (min(image.mean_iou for image in pictured.images),)
    assert best["mean_iou"] == (max(image.mean_iou for image in pictured.images),)
    assert [figure["caption"] for figure in worst["figures"]] == [
        "Image",
        "Truth",
        "Prediction",
        "Errors",
    ]
    assert set(worst["labels"]) == {0, 1, 2}


def test_wrong_pixels_are_red(pictured):
    picture = pictured.pictures[0]
    truth = np.zeros((32, 32), "uint8")
    labels = truth.copy()
    labels[:, 16:] = 1
    truth[:8] = 255
    grey = np.full((32, 32, 3), 90, "uint8")
    picture = replace(picture, image=grey, truth=truth, labels=(labels,), mean_iou=(0.5,))
    (_, (shown,)), _ = gallery(replace(pictured, pictures=(picture,)))
    errors = decoded(shown["figures"][3])
    # 110 + 0.45 * 90 where it is right or unknown; a quarter of it and the red where it is wrong.
    # JPEG is exact to a few levels away from edges.
    np.testing.assert_allclose(errors[10:, :12], 150, atol=6)
    np.testing.assert_allclose(errors[:5], 150, atol=6)
    np.testing.assert_allclose(
        errors[12:, 20:], np.broadcast_to((206, 59, 92), (20, 12, 3)), atol=9
    )
