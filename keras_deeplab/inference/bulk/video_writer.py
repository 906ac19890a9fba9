"""Writes videos: overlays with the sound of another video, and masks without loss."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.data.video_reader import import_av

# 90 kHz, as in MPEG: a multiple of all common frame rates.
_CLOCK = Fraction(1, 90_000)
# Codecs that players of MP4 files know; others become AAC.
_MP4_AUDIO = ("aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "alac")
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class VideoWriter:
    """Writes pictures as MP4 (H.264) with the sound of another video, if given.

    With `lossless`, it writes labels, which are kept exactly, as Matroska (FFV1).
    """

    def __init__(
        self, path: Path, rate: Fraction, *, lossless: bool = False, sound: str | None = None
    ) -> None:
        self.av = import_av()
        self.rate = rate
        self.lossless = lossless
        self.container = self.av.open(str(path), "w", format="matroska" if lossless else "mp4")
        self.stream: Any = None
        self.last = -1
        self.sound = None if sound is None else _Sound(sound)

    def write(self, picture: np.ndarray, seconds: float) -> None:
        """Appends RGB levels (height, width, 3) or labels (height, width) with a time stamp."""
        if self.stream is None:
            self._begin(picture)
        size = self.stream.height, self.stream.width
        if picture.shape[:2] != size:
            picture = _padded(picture, size)
        pixels = "rgb24" if picture.ndim == 3 else self.stream.pix_fmt
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=pixels)
        # Time stamps must rise, which those of damaged videos do not.
        frame.pts = self.last = max(round(seconds / _CLOCK), self.last + 1)
        frame.time_base = _CLOCK
        if self.sound:
            self.sound.copy(self.container, seconds)
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Writes what is held back and closes the file."""
        with contextlib.closing(self.container):
            if self.stream is not None:
                self.container.mux(self.stream.encode(None))
                if self.sound:
                    self.sound.copy(self.container, float(self.last * _CLOCK + 1 / self.rate))
                    self.sound.container.close()

    def _begin(self, picture: np.ndarray) -> None:
        codecs = ("ffv1",) if self.lossless else ("libx264", "h264", "mpeg4")
        codec = next(codec for codec in codecs if codec in self.av.codecs_available)
        options = {"libx264": {"crf": "20", "preset": "veryfast"}}.get(codec, {})
        self.stream = self.container.add_stream(codec, rate=self.rate, options=options)
        # H.264 with its common colour format takes even sizes.
        step = 1 if self.lossless else 2
        self.stream.height, self.stream.width = (-(-x // step) * step for x in picture.shape[:2])
        labels = "gray16le" if picture.dtype == np.uint16 else "gray"
        self.stream.pix_fmt = labels if self.lossless else "yuv420p"
        self.stream.codec_context.time_base = _CLOCK
        if self.sound:
            self.sound.begin(self.container)


class _Sound:
    """The sound of a video, copied or encoded again."""

    def __init__(self, path: str) -> None:
        self.av = import_av()
        self.container = self.av.open(path)
        self.source = next(iter(self.container.streams.audio), None)
        self.stream: Any = None
        self.packets = self._packets()
        self.waiting: Any = None
        self.again = self.source is not None and self.source.codec.name not in _MP4_AUDIO

    def begin(self, output: Any) -> None:
        """Adds the stream to a file."""
        if self.source is None:
            return
        if self.again:
            rate = self.source.rate if self.source.rate in _AAC_RATES else 48_000
            self.stream = output.add_stream("aac", rate=rate)
            self.stream.layout = "mono" if self.source.channels == 1 else "stereo"
        else:
            self.stream = output.add_stream_from_template(self.source)

    def copy(self, output: Any, until: float) -> None:
        """Copies the packets up to a time in seconds."""
        while self.stream is not None:
            packet = self.waiting or next(self.packets, None)
            self.waiting = None
            if packet is None:
                return
            if packet.pts is not None and float(packet.pts * packet.time_base) > until:
                self.waiting = packet
                return
            packet.stream = self.stream
            output.mux(packet)

    def _packets(self) -> Iterator[Any]:
        # Damaged sound ends where it is damaged.
        with contextlib.suppress(self.av.error.FFmpegError):
            if self.again:
                yield from self._encoded()
            else:
                packets = self.container.demux(self.source)
                yield from (packet for packet in packets if packet.dts is not None)

    def _encoded(self) -> Iterator[Any]:
        rate = self.stream.rate
        resampler = self.av.AudioResampler("fltp", self.stream.layout.name, rate)
        samples: int | None = None
        for decoded in self.container.decode(self.source):
            for frame in resampler.resample(decoded):
                if samples is None:
                    samples = max(0, round((decoded.time or 0.0) * rate))
                frame.pts, frame.time_base = samples, Fraction(1, rate)
                samples += frame.samples
                yield from self.stream.encode(frame)
        yield from self.stream.encode(None)


def _padded(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeats the last row and column, or crops, to a (height, width)."""
    picture = picture[: size[0], : size[1]]
    missing = [(0, full - side) for full, side in zip(size, picture.shape[:2], strict=True)]
    return np.pad(picture, [*missing, *[(0, 0)] * (picture.ndim - 2)], mode="edge")
