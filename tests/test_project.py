"""The files around the code agree with the package."""

import re
from pathlib import Path

import pytest

import keras_deeplab

ROOT = Path(__file__).parents[1]


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", text, flags=re.MULTILINE) == [keras_deeplab.__version__]


def test_type_checkers_see_the_annotations():
    assert (Path(keras_deeplab.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
