import os
import signal
import uuid
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab.data.photo_sources import Item
from keras_deeplab.inference import InferenceOptions, open_segmenter
from keras_deeplab.inference.bulk import BulkJob, Destination, RayActors, ResultFiles, ray_engine
from keras_deeplab.inference.bulk.ray_engine import _resolved, segment_on_ray

OPTIONS = InferenceOptions(size=33)


def job(folder: Path) -> BulkJob:
    destination = Destination(str(folder))
    destination.prepare()
    return BulkJob(ResultFiles(destination, overlay=False), OPTIONS)


@pytest.mark.parametrize(
    ("actors", "resources", "expected"),
    [
        (RayActors(), {"CPU": 8.0}, ((8, 8), 0.0)),
        (RayActors(cpus=3), {"CPU": 8.0}, ((2, 2), 0.0)),
        (RayActors(), {"CPU": 8.0, "GPU": 2.0}, ((2, 2), 1.0)),
        (RayActors(gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, ((8, 8), 0.25)),
        (RayActors(gpus=0), {"CPU": 4.0, "GPU": 2.0}, ((4, 4), 0)),
        # A cluster that starts without machines.
        (RayActors(number=(1, 9), gpus=1), {}, ((1, 9), 1)),
    ],
)
def test_number_of_actors(actors: RayActors, resources: dict, expected: tuple):
    assert _resolved(resources, actors) == expected


def test_an_actor_must_fit():
    with pytest.raises(ValueError, match="8 CPUs and 1 GPUs, for actors of 1 and 2"):
        _resolved({"CPU": 8.0, "GPU": 1.0}, RayActors(gpus=2))


def test_a_cluster_must_answer():
    with pytest.raises(ValueError, match="Received: 127.0.0.1:1, where none answers"):
        ray_engine._check_address("127.0.0.1:1")
    for address in ("", "auto", "local"):
        ray_engine._check_address(address)


def test_an_actor_returns_records_errors_and_the_error_of_its_network(tmp_path: Path, rng):
    """As Ray calls it, without Ray."""
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), "uint8")).save(tmp_path / "a.png")
    batch = {
        "number": np.array([4, 7]),
        "source": np.array([str(tmp_path / "a.png"), str(tmp_path / "no.png")]),
        "name": np.array(["sub/a", "no"]),
    }
    actor = ray_engine._Actor(partial(noted_network, tmp_path), job(tmp_path / "out"), None)
    result = actor(batch)
    record, error = map(ray_engine.pickle.loads, result["outcome"])
    assert result["number"].tolist() == [4, 7]
    assert (record["mask"], record["height"]) == ("sub/a_mask.png", 20)
    assert isinstance(error, FileNotFoundError)
    actor = ray_engine._Actor(partial(open_segmenter, tmp_path / "no.keras"), job(tmp_path), None)
    (error, _) = map(ray_engine.pickle.loads, actor(batch)["outcome"])
    assert isinstance(error, ray_engine.RayNetworkError)
    assert "no.keras" in str(error)


def noted_network(folder: Path) -> keras.Model:
    """A network of its own for every actor, which writes down its process."""
    (folder / f"{uuid.uuid4().hex}.pid").write_text(str(os.getpid()))
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(16, 5, padding="same", activation="relu")(x)
    return keras.Model(image, keras.layers.Conv2D(4, 5, padding="same")(x))


@pytest.mark.slow
# Ray deprecates settings of its own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_actor_is_killed_and_no_mask_is_missing(tmp_path: Path, rng):
    """300 photos, two actors, of which one is killed after the first results."""
    ray = pytest.importorskip("ray.data") and pytest.importorskip("ray")
    items = []
    for number in range(300):
        path = tmp_path / "photos" / f"{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), "uint8")).save(path)
        items.append(Item(str(path), f"{number % 2}/{number}"))
    opened = partial(noted_network, tmp_path)
    local = job(tmp_path / "local")
    expected = {item.source: record for item, record in local.outcomes(opened(), items)}
    for note in tmp_path.glob("*.pid"):
        note.unlink()

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100_000_000,
        log_to_driver=False,
    )
    try:
        found, killed = [], None
        actors = RayActors(number=(2, 2))
        for item, record in segment_on_ray(opened, items, job(tmp_path / "ray"), actors=actors):
            found.append((item.source, record))
            if killed is None:
                killed = int(next(iter(sorted(tmp_path.glob("*.pid")))).read_text())
                os.kill(killed, signal.SIGKILL)
    finally:
        ray.shutdown()
    # Two actors, and the one that replaced the killed one.
    assert len({note.read_text() for note in tmp_path.glob("*.pid")}) == 3
    assert len(found) == 300
    assert dict(found) == expected
    masks = sorted((tmp_path / "local").rglob("*_mask.png"))
    assert len(masks) == len(list((tmp_path / "ray").rglob("*_mask.png"))) == 300
    for mask in masks:
        other = tmp_path / "ray" / mask.relative_to(tmp_path / "local")
        assert mask.read_bytes() == other.read_bytes()
