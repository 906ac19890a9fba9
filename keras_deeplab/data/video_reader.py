"""Reads the frames of videos and cameras with PyAV."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_deeplab._files import check_file
from keras_deeplab._validation import check_int
from keras_deeplab.data.remote import VIDEO_LIMIT, copy_remote, is_remote, remote_path

_MOST_DAMAGED = 10_000


def import_av() -> Any:
    """Returns PyAV, or says what to install."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'Videos need PyAV. Run: pip install "keras_deeplab[video]"'
        ) from error
    return av


class Frame(NamedTuple):
    """A frame of a video: uint8 (height, width, 3), upright; its position from 0, and seconds."""

    image: np.ndarray
    number: int
    time: float


class VideoReader:
    """The frames of a video, one at a time.

    Damaged frames are left out, and a truncated file ends where its readable part ends: see
    `damage`. Frames are rotated as the metadata of the video states.

    Args:
        source: Path or address of a video, or number of a camera, which has no end.
        every: Number of frames from one that is returned to the next.

    Attributes:
        rate: Frames per second of the video.
        frames: Number of frames in the video that the file states; None if it is unknown.
        read: Number of frames that have been decoded.
    """

    def __init__(self, source: str | Path | int, *, every: int = 1) -> None:
        check_int("every", every, minimum=1)
        self.av = import_av()
        self.source = source
        self.is_camera = isinstance(source, int)
        self.label = f"camera {source}" if self.is_camera else repr(str(source))
        self.every = every
        self.read = 0
        self._damaged = 0
        self._copy: Any = None
        self.path = self._local_path()
        self.container = self._open()
        if not self.container.streams.video:
            raise ValueError(f"The video must have pictures. Received: {self.label}.")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.rate = Fraction(self.stream.average_rate or 25)
        self.frames = self._stated_frames()

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for frame in self._decoded():
            number, self.read = self.read, self.read + 1
            if number % self.every:
                continue
            image = frame.to_ndarray(format="rgb24")
            if turns := round(getattr(frame, "rotation", 0) / 90) % 4:
                image = np.ascontiguousarray(np.rot90(image, turns))
            seconds = frame.time
            if self.is_camera:
                seconds = time.monotonic() - start
            elif seconds is None:
                seconds = float(number / self.rate)
            yield Frame(image, number, float(seconds))
        if not self.read:
            raise ValueError(
                f"The video must have readable frames. Received: {self.label}, which is damaged or "
                f"truncated."
            )

    def damage(self) -> str | None:
        """Returns a line about damaged or missing frames after the last frame, or None."""
        # Only MP4 and MOV state the number; others, or a duration, give it roughly.
        known = bool(self.stream.frames) and "mp4" in self.container.format.name
        missing = (self.frames or 0) - self.read
        if not self._damaged and missing <= (0 if known else max(2, self.read // 50)):
            return None
        of = f" of {'' if known else 'about '}{self.frames}" if self.frames else ""
        return (
            f"{self.label}: {self.read}{of} frames are readable; the file is "
            f"{'damaged' if missing <= 0 else 'truncated or damaged'}."
        )

    def close(self) -> None:
        """Closes the file."""
        self.container.close()
        if self._copy is not None:
            self._copy.close()

    def _local_path(self) -> str:
        if isinstance(self.source, int):
            return str(self.source)
        if is_remote(self.source):
            suffix = remote_path(self.source).suffix
            self._copy = tempfile.NamedTemporaryFile(suffix=suffix)  # noqa: SIM115 - see close
            copy_remote(self.source, self._copy, limit=VIDEO_LIMIT)
            self._copy.flush()
            return str(self._copy.name)
        path = Path(self.source).expanduser()
        check_file(path, "The video")
        return str(path)

    def _open(self) -> Any:
        try:
            path, kind = self._camera() if self.is_camera else (self.path, None)
            return self.av.open(path, format=kind)
        except (self.av.error.FFmpegError, ValueError, OSError) as error:
            if self.is_camera:
                raise ValueError(
                    f"The camera must be connected and free. Received: {self.label} ({error})."
                ) from error
            reason = getattr(error, "strerror", None) or error
            raise ValueError(
                f"The video must be a complete file of a known format. Received: {self.label} "
                f"({reason}). A truncated MP4 or MOV has lost the index at its end."
            ) from error

    def _camera(self) -> tuple[str, str]:
        """Returns the camera's name for the system, and the kind of device."""
        if sys.platform == "darwin":
            return self.path, "avfoundation"
        if sys.platform == "win32":
            devices = self.av.enumerate_input_devices("dshow")
            names = [device.name for device in devices if "video" in device.media_types]
            return f"video={(names[int(self.path) :] or [self.path])[0]}", "dshow"
        return f"/dev/video{self.path}", "v4l2"

    def _stated_frames(self) -> int | None:
        if self.is_camera:
            return None
        stream, container = self.stream, self.container
        if stream.frames:
            return int(stream.frames)
        if stream.duration:
            return round(stream.duration * stream.time_base * self.rate)
        return round(container.duration / 1e6 * self.rate) if container.duration else None

    def _decoded(self) -> Iterator[Any]:
        while self._damaged <= _MOST_DAMAGED:
            try:
                for packet in self.container.demux(self.stream):
                    # The last packet is empty and returns the frames that are held back.
                    yield from packet.decode()
                return
            except self.av.error.EOFError:
                return
            except self.av.error.FFmpegError:
                self._damaged += 1
