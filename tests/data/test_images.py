import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from keras_deeplab.data.images import IMAGE_SUFFIXES, folder_images, passed_over, read_image

GREY = np.arange(6, dtype="uint8").reshape(2, 3) * 40


def test_file_pil_and_array_are_the_same(tmp_path: Path, rng: np.random.Generator):
    array = rng.integers(0, 256, (5, 7, 3), "uint8")
    Image.fromarray(array).save(tmp_path / "a.png")
    for source in (array, Image.fromarray(array), tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(read_image(source), array)


def test_grey_becomes_rgb():
    expected = np.repeat(GREY[..., None], 3, axis=-1)
    for source in (GREY, GREY[..., None], Image.fromarray(GREY)):
        np.testing.assert_array_equal(read_image(source), expected)


def test_exif_orientation_turns_the_photo_upright(tmp_path: Path):
    image = Image.fromarray(np.repeat(GREY[..., None], 3, axis=-1))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 270 degrees
    image.save(tmp_path / "a.png", exif=exif)
    expected = np.rot90(np.asarray(image), -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_transparent_pixels_are_white():
    rgba = np.zeros((1, 2, 4), "uint8")
    rgba[0, 0] = (10, 20, 30, 255)
    for source in (rgba, Image.fromarray(rgba)):
        assert read_image(source).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_palette_and_transparent_palette():
    image = Image.fromarray(np.array([[0, 1]], "uint8"))
    image.putpalette([9, 8, 7, 1, 2, 3])
    assert read_image(image).tolist() == [[[9, 8, 7], [1, 2, 3]]]
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    assert read_image(Image.open(buffer)).tolist() == [[[255, 255, 255], [1, 2, 3]]]


def test_sixteen_bits_are_scaled(tmp_path: Path):
    levels = np.array([[0, 257, 65535]], "uint16")
    Image.fromarray(levels).save(tmp_path / "a.png")
    for source in (levels, tmp_path / "a.png"):
        assert read_image(source)[0, :, 0].tolist() == [0, 1, 255]


def test_cmyk_and_bilevel():
    assert read_image(Image.new("CMYK", (1, 1), (0, 255, 255, 0))).tolist() == [[[255, 0, 0]]]
    assert read_image(Image.new("1", (1, 1), 1)).tolist() == [[[255, 255, 255]]]


def test_float_levels():
    np.testing.assert_array_equal(read_image(GREY.astype("float64")), read_image(GREY))
    np.testing.assert_array_equal(read_image(np.zeros((2, 2, 3))), np.zeros((2, 2, 3)))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((2, 2, 3), 0.5), "look like 0-1. Multiply it by 255"),
        (np.full((2, 2, 3), np.nan), "finite levels 0-255"),
        (np.full((2, 2, 3), 300.0), "finite levels 0-255"),
        (np.full((2, 2, 3), -1), "levels 0-255. Received: -1"),
        (np.zeros((2, 2, 2), "uint8"), r"Received: shape=\(2, 2, 2\)"),
        (np.zeros((0, 2, 3), "uint8"), r"Received: shape=\(0, 2, 3\)"),
        (np.zeros((2, 2), bool), "must hold numbers. Received: dtype=bool"),
        (np.array("text"), r"Received: shape=\(\)"),
    ],
)
def test_wrong_arrays(array: np.ndarray, words: str):
    with pytest.raises(ValueError, match=words):
        read_image(array)


def test_float_tiff_is_refused():
    with pytest.raises(ValueError, match="float levels.*Scale the image to 8 bits"):
        read_image(Image.fromarray(np.ones((2, 2), "float32")))


def test_broken_files(tmp_path: Path, rng: np.random.Generator):
    path = tmp_path / "a.jpg"
    with pytest.raises(FileNotFoundError, match=r"must exist. Received: .*a\.jpg"):
        read_image(path)
    with pytest.raises(ValueError, match="must be a file. Received: the folder"):
        read_image(tmp_path)
    path.write_text("not an image")
    with pytest.raises(ValueError, match=r"Pillow reads.*a\.jpg'?, 12 bytes"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.jpg'?, 0 bytes"):
        read_image(path)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), "uint8")).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"complete file.*a\.jpg.*cut short"):
        read_image(path)


def test_folder_images(tmp_path: Path):
    with pytest.raises(ValueError, match="must hold images"):
        list(folder_images(tmp_path))
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.png").mkdir()
    assert [path.name for path in folder_images(tmp_path)] == ["a.png", "b.JPG"]


def test_folder_images_names_what_it_passes_over(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(ValueError, match="must hold images"):
        list(folder_images(tmp_path))
    for name in ("a.png", "b.dng", "c", "notes.txt", ".hidden", "Thumbs.db"):
        (tmp_path / name).touch()
    assert [path.name for path in folder_images(tmp_path)] == ["a.png"]
    assert [path.name for path in passed_over(tmp_path)] == ["b.dng", "c"]
    assert "Passed over 2 files" in caplog.text
    assert "b.dng, c" in caplog.text
    (tmp_path / "a.png").unlink()
    with pytest.raises(ValueError, match=r"without any. Passed over 2 files .*: b.dng, c"):
        list(folder_images(tmp_path))


def test_every_suffix_is_one_that_pillow_reads():
    Image.init()
    if ".heic" in IMAGE_SUFFIXES:
        pytest.importorskip("pillow_heif").register_heif_opener()
    assert set(Image.registered_extensions()) >= IMAGE_SUFFIXES
    assert {Image.registered_extensions()[suffix] for suffix in IMAGE_SUFFIXES} - {"MPO"} <= set(
        Image.OPEN
    )


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".jfif", "JPEG"), (".JPE", "JPEG"), (".ppm", "PPM"), (".jp2", "JPEG2000")]
)
def test_rarer_suffixes(tmp_path: Path, suffix: str, kind: str):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (4, 3), (200, 30, 60)).save(path, kind)
    assert [path] == list(folder_images(tmp_path))
    assert abs(read_image(path)[0, 0].astype(int) - (200, 30, 60)).max() <= 3


def jpeg_with_exif(*entries: tuple[int, int, int, bytes], size: tuple[int, int] = (9, 6)) -> bytes:
    """A JPEG whose EXIF block holds entries (tag, type, count, data), written by hand."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(buffer, "JPEG")
    start, extra = 8 + 2 + 12 * len(entries) + 4, b""
    fields = struct.pack("<H", len(entries))
    for tag, kind, count, data in entries:
        if len(data) <= 4:
            fields += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
        else:
            fields += struct.pack("<HHII", tag, kind, count, start + len(extra))
            extra += data
    block = b"Exif\0\0II*\0" + struct.pack("<I", 8) + fields + bytes(4) + extra
    jpeg = buffer.getvalue()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


TURNED = (0x112, 3, 1, struct.pack("<H", 6))


@pytest.mark.parametrize(
    "entry",
    [
        (0x11A, 10, 1, struct.pack("<ii", -1, 0)),  # resolution of -1/0
        (0x11A, 2, 3, b"72\0"),  # resolution as text
        (0x128, 2, 2, b"2\0"),  # its unit as text
        (0x100, 2, 4, b"226\0"),  # width as text
        (0x213, 2, 2, b"1\0"),  # position as text
        (0x10F, 5, 1, struct.pack("<II", 1, 1)),  # maker as a number
        (0x132, 11, 1, struct.pack("<f", 1.5)),  # date as a number
        (0x8769, 4, 1, struct.pack("<I", 99999)),  # EXIF directory outside the block
    ],
)
def test_odd_exif_tags_do_not_keep_a_photo_from_being_turned(
    tmp_path: Path, entry: tuple[int, int, int, bytes]
):
    path = tmp_path / "a.jpg"
    for entries in ((TURNED, entry), (entry, TURNED)):
        path.write_bytes(jpeg_with_exif(*sorted(entries)))
        assert read_image(path).shape == (9, 6, 3)


@pytest.mark.parametrize(
    "entry",
    [
        (0x112, 3, 1, struct.pack("<H", 0)),
        (0x112, 3, 1, struct.pack("<H", 9)),
        (0x112, 2, 2, b"6\0"),
        (0x112, 5, 1, struct.pack("<II", 6, 0)),
        (0x112, 3, 2, struct.pack("<HH", 6, 6)),
    ],
)
def test_an_invalid_orientation_turns_nothing(tmp_path: Path, entry: tuple[int, int, int, bytes]):
    (tmp_path / "a.jpg").write_bytes(jpeg_with_exif(entry))
    assert read_image(tmp_path / "a.jpg").shape == (6, 9, 3)


@pytest.mark.filterwarnings("ignore:::PIL")
def test_random_damage_of_exif_is_no_error(tmp_path: Path, rng: np.random.Generator):
    whole = jpeg_with_exif((0x10F, 2, 8, b"A maker\0"), TURNED, (0x11A, 5, 1, bytes(8)))
    end = whole.index(b"\xff\xe0")
    for _ in range(300):
        damaged = bytearray(whole)
        # After the length and the identifier of the block.
        for position in rng.integers(12, end, 3):
            damaged[position] = rng.integers(256)
        (tmp_path / "a.jpg").write_bytes(damaged)
        assert sorted(read_image(tmp_path / "a.jpg").shape) == [3, 6, 9]


@pytest.mark.parametrize("mode", ["grey", "rgb", "array"])
def test_twelve_bits_in_sixteen_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, mode: str
):
    monkeypatch.setattr("keras_deeplab.data.images._warned", set())
    levels = np.linspace(0, 4095, 24).reshape(4, 6).astype("uint16")
    path = tmp_path / "a.png"
    if mode == "grey":
        Image.fromarray(levels).save(path)
    elif mode == "rgb":
        rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in levels)
        path.write_bytes(png(6, 4, rows, colour_type=2))
    image = read_image(levels if mode == "array" else path)
    assert image.max() in (15, 16)
    assert len(caplog.records) == 1
    assert "16 bits, of which it uses the darkest 6" in caplog.text
    assert ("a.png" in caplog.text) == (mode != "array")
    read_image((levels * 16) if mode == "array" else Image.fromarray(levels * 16))
    assert len(caplog.records) == 1


def png(width: int, height: int, rows: bytes, *, colour_type: int) -> bytes:
    """A PNG of 16 bits, which Pillow does not write in colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_tiff_of_twelve_bits_uses_the_whole_range(tmp_path: Path):
    """Two pixels, 0 and 4095, in three bytes."""
    fields = [
        (256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 3),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    start = struct.pack("<I", 12)
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + start + b"\x00\x0f\xff\0" + directory)
    assert read_image(tmp_path / "a.tif")[..., 0].tolist() == [[0, 255]]


def test_whatever_pillow_raises_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "x" * 3_000_000, zip=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "long.png", pnginfo=text)
    with pytest.raises(ValueError, match=r"long\.png' \(ValueError: Decompressed data too large"):
        read_image(tmp_path / "long.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")

    def fail(self: Image.Image) -> None:
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(ValueError, match=r"a\.png' \(ZeroDivisionError: no rows\)"):
        read_image(tmp_path / "a.png")
