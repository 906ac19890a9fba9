import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.masks import map_labels, read_mask
from keras_deeplab.presets.datasets import DATASETS, voc_palette
from tests.data.miniatures import save_mat, write_mask

IDS = np.array([[0, 1, 2], [3, 15, 255]], "uint8")


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_grey_and_palette_are_ids(tmp_path: Path):
    for palette in (False, True):
        path = write_mask(tmp_path / "m.png", 200, palette=palette)
        with Image.open(path) as image:
            assert image.mode == ("P" if palette else "L")
        labels = read_mask(path)
        assert labels.dtype == np.uint8
        assert (labels == 200).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_of_few_bits(tmp_path: Path, bits: int):
    image = Image.fromarray(IDS[:1] % (1 << bits))
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "m.png", bits=bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), IDS[:1] % (1 << bits))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png_of_any_depth(tmp_path: Path, bits: int):
    """Ids are the numbers in the file, not levels between black and white."""
    ids = [0, 1, 2, 3] if bits > 1 else [0, 1, 1, 0]
    (tmp_path / "m.png").write_bytes(grey_png(ids, bits))
    assert read_mask(tmp_path / "m.png").tolist() == [ids]


def grey_png(ids: list[int], bits: int) -> bytes:
    """A PNG of one row, packed by hand."""
    size = -(-len(ids) * bits // 8)
    row = "".join(f"{label:0{bits}b}" for label in ids).ljust(8 * size, "0")
    packed = int(row, 2).to_bytes(size, "big")

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", len(ids), 1, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" + packed))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bits_stay(tmp_path: Path):
    path = save(tmp_path / "m.png", np.array([[0, 300]], "uint16"))
    labels = read_mask(path)
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[0, 300]]
    assert read_mask(path, {300: 4}).dtype == np.uint8


def test_label_map_leaves_other_labels():
    assert map_labels(IDS, {1: 2, 2: 1, 300: 7}).tolist() == [[0, 2, 1], [3, 15, 255]]
    assert map_labels(IDS, None) is IDS


def test_rgb_of_equal_channels_are_ids(tmp_path: Path):
    path = save(tmp_path / "m.png", np.repeat(IDS[..., None], 3, -1))
    np.testing.assert_array_equal(read_mask(path), IDS)
    np.testing.assert_array_equal(read_mask(path, palette=voc_palette(21)), IDS)


@pytest.mark.parametrize("dataset", ["voc", "cityscapes", "camvid"])
@pytest.mark.parametrize("alpha", [False, True])
def test_colours_of_the_palette(tmp_path: Path, dataset: str, alpha: bool):
    row = DATASETS[dataset]
    void = (224, 224, 192) if dataset == "voc" else (0, 0, 0)
    colours = np.array([[*row.palette, void]], "uint8")
    if alpha:
        colours = np.dstack([colours, np.full(colours.shape[:2], 255, "uint8")])
    labels = read_mask(
        save(tmp_path / "m.png", colours), palette=row.palette, ignore_class=row.ignore_class
    )
    assert labels.tolist() == [[*range(len(row.palette)), row.ignore_class]]


def test_unknown_colours(tmp_path: Path):
    path = save(tmp_path / "m.png", np.array([[[1, 2, 3], [128, 0, 0]]], "uint8"))
    with pytest.raises(ValueError, match=r"m.png', a colour image with \(1, 2, 3\). Save the ids"):
        read_mask(path, palette=voc_palette(21))
    with pytest.raises(ValueError, match=r"with \(1, 2, 3\), \(128, 0, 0\). Save the ids"):
        read_mask(path)
    many = save(tmp_path / "n.png", np.arange(24, dtype="uint8").reshape(2, 4, 3))
    with pytest.raises(ValueError, match=r"\(15, 16, 17\) and 2 more. Save the ids"):
        read_mask(many)


def test_jpeg_is_no_mask(tmp_path: Path):
    path = save(tmp_path / "m.jpg", IDS)
    with pytest.raises(ValueError, match=r"without loss, such as PNG. Received: .*m.jpg'"):
        read_mask(path)


def test_broken_files(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="The mask must exist"):
        read_mask(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match="that Pillow reads"):
        read_mask(tmp_path / "text.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), "uint8")
    path = save(tmp_path / "cut.png", noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="a whole file. Received: .*cut.png"):
        read_mask(path)
    path = save(tmp_path / "float.tif", IDS.astype("float32"))
    with pytest.raises(ValueError, match="must hold integers"):
        read_mask(path)


def test_matlab_masks_are_mapped(tmp_path: Path):
    save_mat(tmp_path / "m.mat", {"LabelMap": np.array([[459.0, 2.0]])})
    assert read_mask(tmp_path / "m.mat", {459: 0, 2: 1}).tolist() == [[0, 1]]


def test_a_mask_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray(np.zeros((8, 8), "uint8")).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    with pytest.raises(ValueError, match=r"The mask must be smaller. Received: .*large\.png"):
        read_mask(tmp_path / "large.png")
