"""The folder of a run: the settings that identify the run, and a lock."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

import keras

from keras_deeplab._files import locked, make_folder, write_text
from keras_deeplab._validation import check_int
from keras_deeplab.data.sources import SegmentationData, SegmentationFiles
from keras_deeplab.inference import open_segmenter
from keras_deeplab.losses import CrossEntropy
from keras_deeplab.presets.recipes import RecipeChanges, RecipeRow
from keras_deeplab.training.callbacks import is_chief
from keras_deeplab.training.checkpoint import checkpoints
from keras_deeplab.training.recipe import resolve_recipe

# Parts of a layer's configuration that depend on what was built before, or on the run itself.
_PASSING = {
    *("name", "inbound_nodes", "input_layers", "output_layers", "shared_object_id"),
    *("build_config", "inference_size"),
}


def check_run(
    data: SegmentationData,
    folder: Path,
    *,
    recipe: str | RecipeRow,
    validation_data: SegmentationData | None,
    size: int | tuple[int, int] | None,
    class_weights: Sequence[float] | None,
    accumulate: int,
    seed: int,
    loss: keras.losses.Loss | None = None,
    **changes: Unpack[RecipeChanges],
) -> tuple[RecipeRow, keras.losses.Loss, dict[str, Any]]:
    """Resolves the arguments of `train` that no network is needed for.

    Files are identified by their names and sizes, so that a folder can be moved.

    Returns:
        The recipe, the loss, and the settings that identify data, recipe and loss of a run.

    Raises:
        ValueError: If an argument is out of range, or the folder contains a different run.
    """
    row = resolve_recipe(recipe, dict(changes))
    check_int("accumulate", accumulate, minimum=1)
    loss = loss or CrossEntropy(ignore_class=data.ignore_class, class_weights=class_weights)
    settings: dict[str, Any] = {
        "accumulate": accumulate,
        "seed": seed,
        "recipe": dataclasses.asdict(row),
        "classes": list(data.class_names),
        "class_weights": None if class_weights is None else list(class_weights),
        "loss": [type(loss).__name__, _digest(_lasting(_config(loss)))],
        "images": len(data),
    }
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        check_int("size", min(height, width), minimum=1)
        settings["size"] = (height, width)
    for name, source in {"training": data, "validation": validation_data}.items():
        if source is not None:
            settings[f"{name}_data"] = _described(source)
    _check(folder, settings)
    return row, loss, settings


def network_settings(model: keras.Model, data: SegmentationData) -> dict[str, Any]:
    """Returns the settings that identify the network of a run, and its stored or fixed size."""
    weights = getattr(model, "deeplab_weights", None)
    height, width = open_segmenter(model, class_names=data.class_names).inference_size
    fixed = model.input_shape[1:3]
    return {
        "size": (fixed[0] or height, fixed[1] or width),
        "model": model.name,
        "network": _digest([_lasting(layer.get_config()) for layer in model.layers]),
        **({"weights": weights} if weights else {}),
    }


@contextmanager
def open_folder(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Creates the folder of a run, or checks that it contains a run with these settings.

    The folder is locked until the context ends.

    Raises:
        ValueError: If it contains a different run, or another process is training in it.
    """
    if not is_chief():
        _check(folder, settings)
        yield
        return
    make_folder(folder)
    with locked(folder):
        if _check(folder, settings):
            write_text(folder / "run.json", json.dumps(settings, indent=1) + "\n")
        yield


def _check(folder: Path, settings: dict[str, Any]) -> bool:
    """Returns whether settings are to be kept: of a first run, or of one with more epochs.

    Raises:
        ValueError: If the folder contains a run that differs in one of the settings.
    """
    if not checkpoints(folder / "checkpoints"):
        return True
    path = folder / "run.json"
    settings = json.loads(json.dumps(settings))
    try:
        kept = json.loads(path.read_text("utf-8"))
        recipe = dict(kept["recipe"])
        longer = int(recipe.get("epochs") or 0) < settings["recipe"]["epochs"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"A folder with checkpoints must hold the settings of its run. Received: {str(path)!r} "
            f"({error!r}). Choose another folder, or delete it."
        ) from error
    # Runs of earlier versions have fewer settings.
    other = [key for key in settings if key in kept and kept[key] != settings[key]]
    if "recipe" in other:
        other.remove("recipe")
        fields = settings["recipe"].items()
        other = [key for key, value in fields if recipe.get(key) != value] + other
    if other and not (longer and other == ["epochs"]):
        raise ValueError(
            f"{folder} must be empty or hold a run of the same settings. Received: another "
            f"run, which differs in {', '.join(other)}. Only the number of epochs may grow. Choose "
            f"another folder, or delete it. To train its network further, start from it: "
            f"{str(folder / 'best.keras')!r} as weights (on the shell, --model or --weights)."
        )
    return longer


def _described(data: SegmentationData) -> dict[str, Any]:
    described: dict[str, Any] = {"ignore_class": data.ignore_class, "images": len(data)}
    if isinstance(data, SegmentationFiles):
        label_map = sorted((data.label_map or {}).items())
        described["label_map"] = [list(pair) for pair in label_map]
        described["files"] = _digest(
            [(one.name, _size(one.image), _size(one.mask)) for one in data.examples]
        )
    return described


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _config(loss: Any) -> Any:
    try:
        return loss.get_config()
    except (AttributeError, NotImplementedError):
        return {}


def _lasting(config: Any) -> Any:
    """Returns a configuration without what differs between two builds of the same network."""
    if isinstance(config, dict):
        passing = () if config.keys() == {"name"} else _PASSING  # a dtype policy is only a name
        return {key: _lasting(value) for key, value in config.items() if key not in passing}
    if isinstance(config, (list, tuple)):
        return [_lasting(value) for value in config]
    return config


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=lambda x: type(x).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
