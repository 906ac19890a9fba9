import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from keras_deeplab.evaluation import review, write_review
from tests.evaluation.test_label_review import data, network  # noqa: F401 - fixtures


def test_regions_are_framed_in_all_three_pictures(network, data, tmp_path: Path):  # noqa: F811
    suspects = review(network, data)
    page = write_review([(data, one) for one in suspects], network, tmp_path, count=2)
    assert page == tmp_path / "review.html"
    text = page.read_text()
    assert "<script" not in text
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).astype(int)
        for content in re.findall(r"data:image/jpeg;base64,([^\"]+)", text)
    ]
    assert [picture.shape for picture in pictures] == [(64, 64, 3)] * 6
    # The frame's colour, up to what JPEG changes; the second photo has no suspect region.
    framed = [(np.abs(one - (225, 29, 72)).sum(-1) < 120).sum() > 40 for one in pictures]
    assert framed[:3] == [True] * 3
    assert not framed[3]
