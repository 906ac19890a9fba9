import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference import InferenceOptions, Segmenter, segment_video
from keras_deeplab.inference.bulk import BulkJob, Destination, ResultFiles

av = pytest.importorskip("av")
FRAMES, RATE, SIZE = 12, 10, (32, 48)
NETWORK = Segmenter(
    lambda x: x.astype("float32") / 10,
    (None, None, None, 3),
    "logits",
    ("red", "green", "blue"),
    ((200, 0, 0), (0, 200, 0), (0, 0, 200)),
    255,
    SIZE,
    "by colour",
)


def write_clip(path: Path, *, video: str = "mpeg4", audio: str | None = "aac") -> Path:
    """A red area that grows over blue from the left, with a tone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(video, rate=RATE)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        sound: Any = None
        if audio:
            sound = out.add_stream(audio, rate=48000)
            sound.layout = "mono"
        for number in range(FRAMES):
            picture = np.full((*SIZE, 3), (0, 0, 200), "uint8")
            picture[:, : SIZE[1] * number // FRAMES] = (200, 0, 0)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
            if audio:
                samples = 48000 // RATE
                tone = np.sin(np.arange(samples) * 0.05)
                levels = tone[None] * (9000 if audio.startswith("pcm") else 0.3)
                kind = ("int16", "s16") if audio.startswith("pcm") else ("float32", "fltp")
                heard = av.AudioFrame.from_ndarray(levels.astype(kind[0]), kind[1], "mono")
                heard.sample_rate, heard.pts = 48000, number * samples
                heard.time_base = Fraction(1, 48000)
                out.mux(sound.encode(heard))
        out.mux(stream.encode(None))
        if audio:
            out.mux(sound.encode(None))
    return path


def frames_of(path: Path, **options: str) -> list[Any]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(**options) for frame in video.decode(video=0)]


def seconds_of_sound(path: Path) -> float:
    with av.open(str(path)) as video:
        rate = video.streams.audio[0].rate
        return sum(frame.samples for frame in video.decode(audio=0)) / rate


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("a.mp4", ("mpeg4", "aac")), ("a.avi", ("mpeg4", "pcm_s16le")), ("a.mkv", ("mpeg4", "aac")),
     ("a.mov", ("mpeg4", "aac")), ("a.webm", ("libvpx", "libopus"))],
)  # fmt: skip
def test_every_frame_and_the_sound_are_kept(tmp_path: Path, name: str, codecs):
    clip = write_clip(tmp_path / name, video=codecs[0], audio=codecs[1])
    files = ResultFiles(Destination(str(tmp_path / "out")), "png")
    files.destination.prepare()
    job = BulkJob(files, InferenceOptions(size="own"))
    ((_, record),) = job.outcomes(NETWORK, [Item(str(clip), "a")])
    assert "damage" not in record
    assert record["frames"] == FRAMES
    assert record["seconds"] == pytest.approx((FRAMES - 1) / RATE, abs=0.11)
    assert record["shares"]["red"] == pytest.approx((FRAMES - 1) / 2 / FRAMES, abs=0.05)
    overlay = tmp_path / "out" / record["overlay"]
    assert len(frames_of(overlay)) == FRAMES
    assert seconds_of_sound(overlay) == pytest.approx(FRAMES / RATE, abs=0.1)
    masks = sorted((tmp_path / "out" / record["mask"]).iterdir())
    assert [path.name for path in masks] == [f"{number:06}.png" for number in range(FRAMES)]
    with Image.open(masks[6]) as mask:
        np.testing.assert_array_equal(np.asarray(mask)[5, ::47], [0, 2])


def test_lossless_masks_and_every_nth_frame(tmp_path: Path):
    clip = write_clip(tmp_path / "a.mp4", audio=None)
    files = ResultFiles(Destination(str(tmp_path)), "video", overlay=False)
    job = BulkJob(files, InferenceOptions(size="own"), every=3)
    ((_, record),) = job.outcomes(NETWORK, [Item(str(clip), "a")])
    results = list(segment_video(NETWORK, clip, every=3, size="own"))
    assert [result.time for result in results] == pytest.approx([0, 0.3, 0.6, 0.9])
    assert [result.name for result in results] == [f"a_{n:06}" for n in (0, 3, 6, 9)]
    masks = frames_of(tmp_path / record["mask"], format="gray")
    np.testing.assert_array_equal(masks, [result.labels for result in results])


def test_lossless_masks_of_many_classes(tmp_path: Path):
    clip = write_clip(tmp_path / "a.mp4", audio=None)
    files = ResultFiles(Destination(str(tmp_path)), "video", overlay=False)
    # The first frame is blue, label 20; what is red has label 300.
    network = replace(
        NETWORK,
        run=lambda x: np.where(x[..., 0] > 100, 300, 20),
        output="labels",
        class_names=tuple(map(str, range(301))),
    )
    job = BulkJob(files, InferenceOptions(size="own"))
    ((_, record),) = job.outcomes(network, [Item(str(clip), "a")])
    masks = frames_of(tmp_path / record["mask"], format="gray16le")
    assert np.unique(masks[0]).tolist() == [20]
    assert np.unique(masks[-1]).tolist() == [20, 300]


def test_truncated_files(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    content = write_clip(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING, "keras_deeplab"):
        results = list(segment_video(NETWORK, tmp_path / "cut.mkv", size="own"))
    assert 2 <= len(results) < FRAMES
    (line,) = [record.message for record in caplog.records if record.name == "keras_deeplab"]
    assert f"{len(results)} of about 12 frames are readable; the file is truncated" in line
    (tmp_path / "cut.mp4").write_bytes(write_clip(tmp_path / "a.mp4").read_bytes()[:2000])
    with pytest.raises(ValueError, match="complete file of a known format. Received: .*cut.mp4"):
        segment_video(NETWORK, tmp_path / "cut.mp4")
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        segment_video(NETWORK, tmp_path / "gone.mp4")


def test_smoothing_delays_a_change(tmp_path: Path):
    clip = write_clip(tmp_path / "a.mp4", audio=None)
    plain = [r.labels for r in segment_video(NETWORK, clip, size="own")]
    smooth = [r.labels for r in segment_video(NETWORK, clip, size="own", smoothing=0.8)]
    np.testing.assert_array_equal(plain[0], smooth[0])
    # 0.8 ** 3 is above a half, 0.8 ** 4 below: a change shows after four frames.
    np.testing.assert_array_equal(smooth[8][:, :20] == 0, plain[5][:, :20] == 0)
    assert (smooth[8] == 0).sum() < (plain[8] == 0).sum()
    with pytest.raises(ValueError, match="smoothing must be from 0 to less than 1"):
        segment_video(NETWORK, clip, smoothing=1)


def test_a_camera_that_is_not_there():
    with pytest.raises(ValueError, match="camera must be connected and free. Received: camera 97"):
        segment_video(NETWORK, 97)
