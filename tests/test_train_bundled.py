"""What trains the package's network: crops, targets, image-level labels, plain frames."""

from __future__ import annotations

import json
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

CAT, DOG, HORSE = 8, 12, 13

jax = pytest.importorskip("jax")


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.syspath_prepend(str(request.config.rootpath / "tools" / "train_bundled"))
    return import_module("train")


def _photos(room: int, *, masked: bool, known: bool = True) -> tuple[np.ndarray, ...]:
    """Sixteen times a blue cat on the left of a yellow dog."""
    image = np.zeros((room, room, 3), "uint8")
    image[:90, :120] = 200, 200, 30
    image[:90, :60] = 30, 30, 200
    mask = np.full((room, room), 255, "uint8")
    if masked:
        mask[:90, :120] = DOG
        mask[:90, :60] = CAT
    soft = np.zeros((49, 49, 21), "uint8")
    if known:
        soft[:, :24, CAT] = soft[:, 24:, DOG] = 255
    one = image, np.array([90, 120], "int32"), soft, mask
    return tuple(np.stack([part] * 16) for part in one)


@pytest.mark.parametrize(
    ("masked", "known"), [(True, True), (False, True), (True, False)], ids=["both", "soft", "mask"]
)
def test_targets_lie_on_what_they_name(train, monkeypatch, masked: bool, known: bool):
    monkeypatch.setattr(train, "SCALES", (0.06, 0.25))
    monkeypatch.setattr(train, "ROOM", 130)
    photos = _photos(train.ROOM, masked=masked, known=known)
    images, targets = map(np.asarray, train.crops(jax.random.key(0), 129, photos))
    assert images.shape == (16, 129, 129, 3)
    assert targets.shape == (16, 17, 17, 21)
    seen = images[:, ::8, ::8]
    blueness = seen[..., 2] - seen[..., 0]
    sums = targets.sum(-1)
    inside = sums > 0
    assert 0.1 < inside.mean() < 1
    np.testing.assert_allclose(sums[inside], 1, atol=1e-5)
    assert np.abs(blueness[~inside]).mean() < 20 < np.abs(blueness[inside]).mean()
    agree = np.where(blueness > 0, targets[..., CAT], targets[..., DOG])[inside]
    assert agree.mean() > 0.93, agree.mean()


def test_a_mosaic_keeps_its_parts(train):
    parts = np.arange(4 * 3 * 3).reshape(4, 3, 3, 1)
    mosaic = train.mosaic(parts)[0]
    assert mosaic.shape == (5, 5, 1)
    np.testing.assert_array_equal(mosaic[2:, 2:], parts[3])
    np.testing.assert_array_equal(mosaic[:2, :2], parts[0][:2, :2])


def test_its_network_is_the_packages(train, photo: np.ndarray):
    """But for bfloat16."""
    import keras

    from keras_deeplab import DeepLab
    from keras_deeplab.weights import named_weights

    model = DeepLab(weights="voc")
    weights = {name: np.asarray(v) for name, v in named_weights(model).items()}
    images = photo[None, :257, :257].astype("float32")
    ours = np.asarray(jax.jit(train.scores)(weights, images))
    theirs = keras.Model(model.input, model.get_layer("classifier").output)(images)
    theirs = keras.ops.convert_to_numpy(theirs)
    assert ours.shape == theirs.shape == (1, 17, 17, 21)
    assert np.abs(ours - theirs).mean() < 0.03 * np.abs(theirs).mean()
    assert (ours.argmax(-1) == theirs.argmax(-1)).mean() > 0.97

    def total(weights: dict[str, np.ndarray]):
        return train.scores(weights, images[:, :33, :33], frozen=6).sum()

    gradients = jax.jit(jax.grad(total))(weights)
    moved = {name for name, value in gradients.items() if np.any(value)}
    assert {"block_6_expand/kernel", "classifier/bias"} < moved
    assert not moved & {"stem/kernel", "block_5_project/kernel"}


@pytest.mark.slow
def test_a_run_from_parts_to_averaged_weights(train, monkeypatch, tmp_path, photo, capsys):
    from keras_deeplab import DeepLab
    from keras_deeplab.weights import named_weights

    parts = import_module("parts")
    monkeypatch.setattr(train, "SIDE", 65)
    monkeypatch.setattr(train, "LOOKS", ((33, False), (65, True)))
    monkeypatch.setattr(train, "TOGETHER", 8)
    image = Image.fromarray(photo).resize((80, 60))
    image.save(tmp_path / "photo.png")
    Image.fromarray(np.full((60, 80), CAT, "uint8")).save(tmp_path / "mask.png")
    row = {"present": ["cat"], "absent": ["dog"]}
    webp, mask = parts.encoded(tmp_path / "photo.png"), (tmp_path / "mask.png").read_bytes()
    photos = [
        (row | {"split": split}, webp, png)
        for split, png in [("train", mask), ("train", b""), ("held_out", mask), ("held_out", b"")]
    ]
    parts.write_part(tmp_path / "part_00.zip", photos)
    weights = named_weights(DeepLab(weights="voc")).items()
    np.savez(tmp_path / "start.npz", **{name: np.asarray(v) for name, v in weights})
    options = "--minutes 0.1 --batch 5 --room 100 --learning-rate 1e-3"
    arguments = ["train.py", "--parts", str(tmp_path), "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", [*arguments, *options.split()])
    train.main()
    first, *_, last = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert first.startswith("step,photos,seconds,mean_iou_masks")
    assert last.split(",")[1] == "68"
    steps = int(last.split(",")[0])
    assert steps > 0
    assert "training begins with 68 photos" in capsys.readouterr().out
    with np.load(tmp_path / "run" / f"averaged_{steps}.npz") as file:
        trained = {name: file[name] for name in file.files}
    for name, value in weights:
        assert np.isfinite(trained[name]).all()
        same = np.allclose(trained[name], value, rtol=1e-5, atol=1e-7)
        assert same == name.startswith(("stem", *(f"block_{n}_" for n in range(6)))), name


def test_a_folder_without_parts_is_refused(train, monkeypatch, tmp_path):
    np.savez(tmp_path / "start.npz", **{"classifier/bias": np.zeros(21)})
    monkeypatch.setattr(
        train, "Photos", lambda *_: SimpleNamespace(seen=set(), take=lambda _: None)
    )
    monkeypatch.setattr("sys.argv", ["train.py", "--parts", str(tmp_path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"must hold part_00\.zip"):
        train.main()


def test_parts_begin_with_what_is_measured(train):
    parts = import_module("parts")
    row = {"absent": [], "mask": None, "split": "train"}
    rows = [row, row | {"mask": "a.png"}, row | {"split": "held_out", "absent": ["cat"]}]
    rows += [row | {"split": "held_out"}]
    found = parts.ordered(json.loads(json.dumps(rows)))
    assert [bool(r["mask"]) for r in found] == [True, False, False]
    assert [r["split"] for r in found] == ["train", "held_out", "train"]


def test_classes_that_are_absent_are_struck_out(train):
    soft = np.zeros((1, 3, 21), "float32")
    soft[0, 0, [HORSE, DOG]] = 0.6, 0.4
    soft[0, 1, HORSE] = 1.0
    soft[0, 2, 0] = 1.0
    result = train.corrected(soft, present=[], absent=[HORSE])
    assert result[0, 0, DOG] == 1
    assert result[0, 1, 0] == result[0, 2, 0] == 1
    np.testing.assert_allclose(result.sum(-1), 1)


def test_background_is_unknown_where_a_class_was_missed(train):
    soft = np.zeros((2, 2, 21), "float32")
    soft[..., 0] = 1
    soft[0, 0] = np.eye(21)[CAT]
    result = train.corrected(soft, present=[CAT, DOG], absent=[])
    assert result[0, 0, CAT] == 1
    assert result.sum() == 1
    assert train.corrected(soft, present=[CAT], absent=[]).sum() == 4


def test_plain_frames_differ(train):
    frames = train.plain_frames(12, size=33)
    assert {frame.shape for frame in frames} == {(33, 33, 3)}
    assert frames[0].max() == 0
    assert len({frame.tobytes() for frame in frames}) == 12


def test_coco_labels_become_classes(train):
    index = import_module("index_coco")
    row = {"ImageID": "7.jpg", "Labels": "1 19", "Caption": "A man on a horse."}
    stem, present, absent, exclude = index.described(row, {"9"})
    assert (stem, present.split(), exclude) == ("7", ["person", "horse"], "")
    assert "cat" in absent.split()
    assert "cow" not in absent.split()
    row = {"ImageID": "9.jpg", "Caption": "Two elephants at a river."}
    assert index.described(row, {"9"}) == ["9", "", "cow sheep", "yes"]
