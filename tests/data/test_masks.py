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
    assert map_labels(IDS, {1: 300}).tolist() == [[0, 300, 2], [3, 15, 255]]


@pytest.mark.parametrize("pair", [(7, 70_000), (-1, 2), (7, -1)])
def test_labels_of_a_label_map_are_bounded(pair: tuple[int, int]):
    with pytest.raises(ValueError, match=f"65535. Received: {pair[0]} to {pair[1]}"):
        map_labels(IDS, dict([pair]))


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
    with pytest.raises(ValueError, match="a complete file. Received: .*cut.png"):
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


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_masks_are_turned_by_their_own_exif(
    tmp_path: Path, orientation: int, turns: int, suffix: str
):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"m{suffix}", IDS, exif=turned(orientation), **options)
    np.testing.assert_array_equal(read_mask(path), np.rot90(IDS, turns))


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".webp", {"quality": 80}),
        (".webp", {"quality": 80, "save_all": True, "append_images": [Image.new("RGB", (64, 64))]}),
        (".avif", {"quality": 60}),
        (".avif", {"quality": 100}),
        (".tif", {"compression": "jpeg"}),
        (".jp2", {"irreversible": True, "quality_layers": [20]}),
        (".heic", {"quality": 90}),
        (".jfif", {"format": "JPEG"}),
        (".png", {"format": "JPEG"}),
    ],
)
def test_lossy_masks_are_refused(tmp_path: Path, suffix: str, options: dict):
    path = tmp_path / f"m{suffix}"
    labels = np.arange(64, dtype="uint8") // 16 + np.zeros((64, 1), "uint8")
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(labels).convert("RGB").save(path, **options)
    with pytest.raises(ValueError, match=rf"without loss, .*m\{suffix}', a file of"):
        read_mask(path)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".webp", {"lossless": True}),
        (".webp", {"lossless": True, "save_all": True, "append_images": [Image.new("L", (3, 2))]}),
        (".tif", {"compression": "tiff_lzw"}),
        (".tif", {"compression": "tiff_adobe_deflate"}),
        (".jp2", {}),
        (".bmp", {}),
        (".gif", {}),
        (".pgm", {}),
        (".tga", {}),
    ],
)
def test_lossless_masks_of_other_formats(tmp_path: Path, suffix: str, options: dict):
    np.testing.assert_array_equal(read_mask(save(tmp_path / f"m{suffix}", IDS, **options)), IDS)


def test_grey_levels_that_became_a_palette_are_ids(tmp_path: Path):
    """Pillow writes GIF so: index 4 of the palette is the grey 15, index 5 is 255."""
    image = Image.fromarray(np.array([[0, 1, 2]], "uint8"))
    image.putpalette([0, 0, 0, 3, 3, 3, 255, 255, 255])
    image.save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[0, 3, 255]]
    for shown in ([0, 0, 0, 255, 255, 255], [0, 0, 0, 128, 128, 128, 255, 255, 255]):
        image.putpalette(shown)
        Image.fromarray(np.asarray(image)[:, : len(shown) // 3]).save(tmp_path / "n.png")
        with Image.open(tmp_path / "n.png") as grey:
            indexed = grey.copy()
        indexed.putpalette(shown)
        indexed.save(tmp_path / "n.png")
        assert read_mask(tmp_path / "n.png").tolist() == [[*range(len(shown) // 3)]]


def test_lossless_webp_with_transparency(tmp_path: Path):
    """An extended file: a header, then a chunk of its own for the pixels."""
    pixels = np.dstack([IDS, IDS, IDS, np.full_like(IDS, 255)])
    pixels[0, 0, 3] = 254
    path = save(tmp_path / "m.webp", pixels, lossless=True, exact=True, exif=turned(1))
    assert path.read_bytes()[12:16] == b"VP8X"
    np.testing.assert_array_equal(read_mask(path), IDS)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_object_in_the_alpha_channel_is_said(tmp_path: Path, level: int, mode: str):
    channels = np.full((*IDS.shape, len(mode)), level, "uint8")
    channels[..., -1] = (IDS > 2) * 255
    path = save(tmp_path / "m.png", channels)
    with pytest.raises(ValueError, match=r"m.png', of one colour with an alpha channel that"):
        read_mask(path, {255: 1})
    channels[..., -1] = 128
    assert (read_mask(save(path, channels)) == level).all()
