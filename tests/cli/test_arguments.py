import argparse
from pathlib import Path

import pytest

from keras_deeplab.cli import arguments as shared
from keras_deeplab.cli.commands import _parser
from keras_deeplab.presets.crfs import DEFAULT_CRF


def read(*words: str) -> argparse.Namespace:
    return _parser().parse_args(words)


def test_a_model_is_a_name_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[tuple] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_deeplab.inference.open_segmenter", lambda *a, **o: opened.append(a))
    monkeypatch.setattr("keras_deeplab.deeplab.DeepLab", lambda name, **o: (name, o))
    Path("net.tflite").touch()
    Path("net.tflite.json").touch()
    named = shared.resolve_network(read("segment", "a.jpg", "--model", "cityscapes"))
    assert named == ("cityscapes", {"backbone": None, "output_stride": None})
    assert shared.resolve_network(read("segment", "a.jpg"))[0] == "voc"
    shared.resolve_network(read("segment", "a.jpg", "--weights", "net.tflite"))
    assert opened == [("net.tflite",)]
    finer = read("evaluate", "--data", "d", "--model", "net.tflite", "--output-stride", "8")
    assert shared.resolve_network(finer)[1]["output_stride"] == 8


def test_options_are_their_help():
    parser = argparse.ArgumentParser()
    text = """
    --fast: be quick, with
        --limit at most
    --limit N: stop after N images
    --form F: one of
        two
    """
    shared.add_options(parser, text, limit=9, form={"choices": ["a", "b"], "dest": "kind"})
    assert vars(parser.parse_args([])) == {"fast": False, "limit": 9, "kind": None}
    assert vars(parser.parse_args(["--fast", "--limit", "3"]))["limit"] == 3
    shown = " ".join(parser.format_help().split())
    assert "--fast be quick, with --limit at most" in shown
    assert "--limit N stop after N images (default: 9)" in shown
    assert "--form F one of two" in shown


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("own", "own"), ("513", 513), ("33x65", (33, 65))]
)
def test_sizes(text: str | None, size):
    assert shared.read_size(text) == size


@pytest.mark.parametrize("text", ["own", "9y9", "1x2x3", ""])
def test_wrong_sizes(text: str):
    with pytest.raises(ValueError, match=f"--crop must be PIXELS or HEIGHTxWIDTH. .*{text!r}"):
        shared.read_size(text, own=False, option="--crop")


def test_inference_options():
    options = shared.resolve_inference(
        read("segment", "a.jpg", "--size", "33x65", "--scales", "0.5", "1", "--flip", "--crf")
    )
    assert (options.size, tuple(options.scales), options.flip) == ((33, 65), (0.5, 1.0), True)
    assert options.crf == DEFAULT_CRF
    assert not shared.resolve_inference(read("segment", "a.jpg")).crf


def test_a_photo_after_crf_is_no_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    default = f"--crf={DEFAULT_CRF}"
    assert shared.photos_after_crf(["segment", "--crf", "a.jpg"]) == ["segment", default, "a.jpg"]
    assert shared.photos_after_crf(["segment", "--crf", "*.jpg"]) == ["segment", default, "*.jpg"]
    for words in (["segment", "a.jpg", "--crf", DEFAULT_CRF], ["segment", "--crf", "v9"]):
        assert shared.photos_after_crf(words) == words


@pytest.mark.parametrize(
    ("model", "named"), [("voc", True), ("net.onnx", False), ("nets/mine", False), (".", False)]
)
def test_names_and_files(model: str, named: bool):
    assert shared.is_model_name(model) == named


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(ValueError, match="--model vok. Did you mean 'voc'"):
        shared.is_model_name("vok")
