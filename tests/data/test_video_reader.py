from pathlib import Path

import numpy as np
import pytest

from keras_deeplab.data import video_reader
from keras_deeplab.data.video_reader import VideoReader

av = pytest.importorskip("av")

from tests.inference.test_video import FRAMES, RATE, SIZE, write_clip  # noqa: E402


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def test_frames_have_their_numbers_and_times(clip: Path):
    reader = VideoReader(clip)
    frames = list(reader)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert [frame.time for frame in frames] == pytest.approx([n / RATE for n in range(FRAMES)])
    assert frames[0].image.shape == (*SIZE, 3)
    # Blue at first, red on the left half after half of the frames; the codec is lossy.
    assert np.abs(frames[0].image.astype(int) - (0, 0, 200)).mean() < 15
    left = frames[FRAMES // 2].image[:, : SIZE[1] // 2 - 8].astype(int)
    assert np.abs(left - (200, 0, 0)).mean() < 15
    assert (reader.rate, reader.frames, reader.read) == (RATE, FRAMES, FRAMES)
    assert reader.damage() is None
    reader.close()


def test_every_fifth_frame(clip: Path):
    reader = VideoReader(clip, every=5)
    assert [frame.number for frame in reader] == [0, 5, 10]
    assert reader.read == FRAMES
    reader.close()


def test_damage_is_told(tmp_path: Path, clip: Path):
    path = tmp_path / "cut.mkv"
    write_clip(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    reader = VideoReader(path)
    read = len(list(reader))
    assert 0 < read < FRAMES
    assert f"{read}" in str(reader.damage())
    reader.close()


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, FileNotFoundError, "The video must exist"),
        (b"no video", ValueError, "a complete file of a known format"),
    ],
)
def test_what_is_no_video(tmp_path: Path, content, error: type, words: str):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        VideoReader(path)


def test_missing_library_and_wrong_step(clip: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="every must be at least 1"):
        VideoReader(clip, every=0)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "keras_deeplab\[video\]"'):
        video_reader.import_av()
