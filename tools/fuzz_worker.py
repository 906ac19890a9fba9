"""Runs the cases of `tools/fuzz.py`, one a line of standard input, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_inputs import small_network

_LIMIT_BYTES = 24 << 30
_RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"}
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod"}
_PHOTO = np.full((33, 33, 3), 90, "uint8")


class Watch:
    """Records what Python does outside the allowed folders, by its audit events."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] = ()
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.allowed:
            return
        if event in _RUNS and not _reads_h5(event, arguments):
            self.seen.append(f"ran: {event} {arguments!r:.200}")
        elif event in _CHANGES or (event == "open" and _writes(arguments)):
            path = arguments[0]
            text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
            if text and not os.path.realpath(text).startswith((*self.allowed, "/dev/")):
                self.seen.append(f"wrote: {event} {text}")


def _reads_h5(event: str, arguments: tuple[Any, ...]) -> bool:
    """Returns whether a process is the one in which the package tries an .h5 file."""
    from keras_deeplab.models import keras_file

    started = list(arguments[1]) if event == "subprocess.Popen" else []
    return started[:3] == [sys.executable, "-c", keras_file._READ_H5]


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def photo(case: Path, victim: Path) -> None:
    """A damaged photo between two whole ones must not end the folder."""
    from PIL import Image

    from keras_deeplab import segment

    whole = case / "whole.png"
    Image.fromarray(_PHOTO).save(whole)
    results = list(
        segment(_network(), [whole, victim, whole], size=33).outcomes(
            lambda number, result: result.save(case / "out", name=str(number))
        )
    )
    if isinstance(results[0], Exception) or isinstance(results[2], Exception):
        raise RuntimeError(f"a whole photo beside it failed: {results}")
    if isinstance(results[1], Exception):
        raise results[1]


def folder_of_masks(case: Path, victim: Path) -> None:
    """`check-data`, and what `evaluate` and `train` read."""
    from keras_deeplab.data.checks.label_check import check_data
    from keras_deeplab.data.formats import dataset_splits, read_dataset
    from keras_deeplab.evaluation import evaluate

    options: dict[str, Any] = {}
    if victim.parent.name == "masks":
        options["class_names"] = ("sky", "road", "car")
    report = check_data(case, **options)
    str(report), json.dumps(report.to_dict())
    if victim.parent.name == "masks" and report.splits["all"].read < 1:
        raise RuntimeError(f"the whole mask beside it was not read: {report}")
    for split in dataset_splits(case) or (None,):
        data = read_dataset(case, split, **options)
        for index in range(len(data)):
            data[index]
        if victim.parent.name == "masks":
            evaluate(_network(), data, size=33)


def annotations(case: Path, victim: Path) -> None:
    """`check-data`, and what `evaluate` and `train` read."""
    from keras_deeplab.data.checks.label_check import check_data
    from keras_deeplab.data.formats import read_dataset

    report = check_data(case)
    str(report), json.dumps(report.to_dict())
    data = read_dataset(case)
    for index in range(len(data)):
        data[index]


def video(case: Path, victim: Path) -> None:
    from keras_deeplab.inference import segment_video

    for result in segment_video(_network(), victim, size=33):
        result.shares()


def mask(case: Path, victim: Path) -> None:
    from keras_deeplab.data.masks import read_mask

    read_mask(victim)


def converted(converter: str, network: str) -> Callable[[Path, Path], None]:
    def run(case: Path, victim: Path) -> None:
        from keras_deeplab import convert

        convert(victim, case / "out.keras", converter=converter, network=network)

    return run


def model(case: Path, victim: Path) -> None:
    from keras_deeplab import segment

    path = next(
        path
        for path in (case / name for name in ("net", "net.tflite", victim.name))
        if path.exists()
    )
    segment(path, _PHOTO, size=33, class_names=("sky", "road", "car")).save(case / "out")


def weights(case: Path, victim: Path) -> None:
    from keras_deeplab import DeepLab

    DeepLab(victim)


ENTRIES: dict[str, Callable[[Path, Path], None]] = {
    "photo": photo,
    "mask": folder_of_masks,
    "mask_mat": mask,
    "list": folder_of_masks,
    "annotations": annotations,
    "video": video,
    "convert_arrays": converted("arrays", "deeplab_v3_mobilenet_v2"),
    "convert_torchvision": converted("torchvision", "deeplab_v3_resnet50"),
    "convert_torchvision_old": converted("torchvision", "deeplab_v3_resnet50"),
    "convert_hugging_face": converted("hugging_face", "deeplab_v3_mobilenet_v2"),
    "convert_caffe": converted("caffe", "deeplab_v1_vgg16"),
    "convert_tf_slim": converted("tf_slim", "deeplab_v3_mobilenet_v2"),
    "convert_tflite": converted("tflite", "deeplab_v3_mobilenet_v2"),
    "deeplab_keras": weights,
    "model": model,
    "hostile_pickle": converted("torchvision", "deeplab_v3_resnet50"),
    "hostile_npz": converted("arrays", "deeplab_v3_mobilenet_v2"),
    "hostile_tar": converted("tf_slim", "deeplab_v3_mobilenet_v2"),
    "hostile": model,
}
_networks: list[Any] = []


def _network() -> Any:
    from keras_deeplab import open_segmenter

    if not _networks:
        _networks.append(open_segmenter(small_network()))
    return _networks[0]


def outcome(error: Exception | None, victim: Path) -> tuple[str, str]:
    """Returns the outcome, "ok", "clear", "raw" or "traceback" (see tools/fuzz.py), and words."""
    from keras_deeplab.cli.startup import FORESEEN

    if error is None:
        return "ok", ""
    words = f"{type(error).__name__}: {error}"
    if not isinstance(error, FORESEEN):
        return "traceback", words + "\n" + "".join(traceback.format_tb(error.__traceback__)[-3:])
    clear = "Received:" in words or victim.name in words or victim.parent.name in words
    return ("clear" if clear else "raw"), words


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from tests.reference.small_presets import shrink_presets

    shrink_presets()
    watch = Watch()
    _network()
    for line in sys.stdin:
        task = json.loads(line)
        case, family = Path(task["case"]), task["family"]
        victim = case / task["victim"]
        entry = next(ENTRIES[name] for name in (family, family.split("_")[0]) if name in ENTRIES)
        watch.seen, watch.allowed = [], (str(case), task["scratch"])
        error: Exception | None = None
        try:
            entry(case, victim)
        except Exception as caught:
            error = caught
        watch.allowed = ()
        result, words = outcome(error, victim)
        del error
        for effect in watch.seen:
            result = "executed" if effect.startswith("ran") else "outside"
            words = f"{effect}\n{words}"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers.write(json.dumps([result, words[:4000], memory]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
