from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DenseCRF, segment
from keras_deeplab.evaluation import write_submission
from keras_deeplab.evaluation.submission import submission_images
from keras_deeplab.presets.datasets import DATASETS
from tests.evaluation.conftest import colour_model, picture


@pytest.fixture
def pairs(rng) -> list[tuple[str, np.ndarray]]:
    return [(f"2008_00000{i}", picture(rng, 20, 30)[0]) for i in range(2)]


def write(kind, images, folder, **options):
    model = colour_model(DATASETS[kind].class_names)
    return write_submission(
        model, images, folder, kind=kind, size="own", progressbar=False, **options
    )


def test_voc_masks_lie_where_its_server_looks(tmp_path: Path, pairs):
    files = write("voc", pairs, tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        f"results/VOC2012/Segmentation/comp6_test_cls/2008_00000{i}.png" for i in range(2)
    ]
    model = colour_model(DATASETS["voc"].class_names)
    with Image.open(files[0]) as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        labels = segment(model, pairs[0][1], size="own").labels
        np.testing.assert_array_equal(np.asarray(mask), labels)


def test_cityscapes_masks_hold_label_ids(tmp_path: Path, pairs):
    (file, _) = write("cityscapes", pairs, tmp_path)
    model = colour_model(DATASETS["cityscapes"].class_names)
    labels = segment(model, pairs[0][1], size="own").labels
    with Image.open(file) as mask:
        assert mask.mode == "L"
        # road, sidewalk and building (cityscapesScripts, helpers/labels.py)
        np.testing.assert_array_equal(np.asarray(mask), np.array([7, 8, 11])[labels])


def test_the_masks_are_those_after_the_crf(tmp_path: Path, pairs):
    crf = DenseCRF(bilateral_weight=0, spatial_weight=20, num_iterations=2)
    (plain, _) = write("voc", pairs, tmp_path / "a")
    (refined, _) = write("voc", pairs, tmp_path / "b", crf=crf)
    assert plain.read_bytes() != refined.read_bytes()


def test_test_images_of_the_datasets(tmp_path: Path, pairs):
    voc, cityscapes = tmp_path / "VOCdevkit", tmp_path / "cityscapes"
    inner = voc / "VOC2012"
    (inner / "ImageSets" / "Segmentation").mkdir(parents=True)
    (inner / "ImageSets" / "Segmentation" / "test.txt").write_text("2008_000001\n")
    (inner / "JPEGImages").mkdir()
    for name, image in pairs:
        Image.fromarray(image).save(inner / "JPEGImages" / f"{name}.jpg")
    assert [x.name for x in submission_images(voc, "voc")] == ["2008_000001.jpg"]
    assert [x.name for x in write("voc", voc, tmp_path / "out")] == ["2008_000001.png"]
    city = cityscapes / "leftImg8bit" / "test" / "berlin"
    city.mkdir(parents=True)
    Image.fromarray(pairs[0][1]).save(city / "berlin_000000_000019_leftImg8bit.png")
    (file,) = write("cityscapes", cityscapes, tmp_path / "out")
    assert file.name.startswith("berlin_000000_000019")
    assert len(submission_images(inner / "JPEGImages", "voc")) == 2


def test_wrong_arguments(tmp_path: Path, pairs):
    with pytest.raises(ValueError, match="kind must be one of 'voc', 'cityscapes'"):
        write_submission(colour_model(), pairs, tmp_path, kind="coco")
    with pytest.raises(ValueError, match=r"must have the 21 classes of PASCAL VOC.* with 4"):
        write_submission(colour_model(), pairs, tmp_path, kind="voc")
    with pytest.raises(FileNotFoundError, match="folder of images must exist"):
        write("voc", tmp_path / "gone", tmp_path)
    with pytest.raises(ValueError, match="There must be images. Received: none"):
        write("voc", [], tmp_path)


def test_a_full_disk_leaves_no_mask(tmp_path: Path, pairs, monkeypatch: pytest.MonkeyPatch):
    def save(self: Image.Image, path: Path) -> None:
        Path(path).write_bytes(b"")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OSError, match="No space left"):
        write("voc", pairs, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
