"""Measures against independent implementations, by hand, and over every kind of dataset."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_deeplab import DenseCRF, evaluate, open_segmenter, segment
from keras_deeplab.evaluation import write_report
from keras_deeplab.presets.datasets import DATASETS
from tests.evaluation.conftest import NAMES, colour_model, picture


def run(model, dataset, **options):
    return evaluate(model, dataset, **{"size": "own", "progressbar": False, **options})


def test_mean_iou_is_that_of_scikit_learn(model, examples):
    metrics = pytest.importorskip("sklearn.metrics")
    truth = np.concatenate([x["labels"].ravel() for x in examples])
    labels = np.concatenate(
        [segment(model, x["image"], size="own").labels.ravel() for x in examples]
    )
    valid = truth != 255
    matrix = metrics.confusion_matrix(truth[valid], labels[valid], labels=range(4))
    result = run(model, examples)
    np.testing.assert_array_equal(result.confusion, matrix)
    jaccard = metrics.jaccard_score(truth[valid], labels[valid], labels=range(3), average=None)
    np.testing.assert_allclose(result.class_iou[:3], jaccard, rtol=0, atol=1e-9)
    assert np.isnan(result.class_iou[3])
    assert result.mean_iou == pytest.approx(jaccard.mean(), abs=1e-9)
    accuracy = metrics.accuracy_score(truth[valid], labels[valid])
    assert result.pixel_accuracy == pytest.approx(accuracy, abs=1e-9)
    weighted = metrics.jaccard_score(truth[valid], labels[valid], average="weighted")
    assert result.frequency_weighted_iou == pytest.approx(weighted, abs=1e-9)
    assert 0.5 < result.mean_iou < 0.95


def test_a_class_that_is_predicted_only(model, examples):
    """Blue is relabelled as ignored and red as green: red and blue are in no truth."""
    changed = []
    for element in examples:
        labels = np.choose(np.minimum(element["labels"], 3), [1, 1, 255, 255])
        changed.append({**element, "labels": labels})
    result = run(model, changed)
    assert result.confusion[0].sum() == result.confusion[2].sum() == 0
    assert result.confusion[:, 0].sum() > 0
    green = result.confusion[1, 1] / result.confusion.sum()
    np.testing.assert_allclose(result.class_iou, [0, green, 0, np.nan])
    assert result.mean_iou == pytest.approx(green / 3)
    assert result.mean_iou_in_truth == pytest.approx(green)
    assert result.boundary_iou == pytest.approx(result.class_boundary_iou[1] / 3)
    values = result.to_dict()
    assert values["mean_iou"] == result.mean_iou
    assert values["mean_iou_in_truth"] == result.mean_iou_in_truth


def test_mean_iou_is_that_of_cityscapes_scripts(rng):
    scripts = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="cityscapesscripts is not installed",
    )
    from keras_deeplab.presets.label_maps import CITYSCAPES_LABEL_IDS

    model = colour_model(DATASETS["cityscapes"].class_names)
    pairs = [picture(rng, 30, 40) for _ in range(3)]
    result = run(model, pairs)
    ids = np.zeros(256, "uint8")
    for label, index in CITYSCAPES_LABEL_IDS.items():
        if index != 255:
            ids[index] = label
    matrix = scripts.generateMatrix(scripts.args)
    for image, truth in pairs:
        labels = segment(model, image, size="own").labels
        for i, j in zip(ids[truth].ravel(), ids[labels].ravel(), strict=True):
            matrix[i, j] += 1
    found = [scripts.getIouScoreForLabel(label, matrix, scripts.args) for label in ids[[0, 1, 2]]]
    np.testing.assert_allclose(result.class_iou[:3], found, rtol=0, atol=1e-9)
    assert result.mean_iou == pytest.approx(np.mean(found), abs=1e-9)


def test_a_perfect_network_scores_one(model):
    image = np.zeros((20, 20, 3), "uint8")
    image[:, :10, 0] = image[:, 10:, 2] = 200
    truth = np.where(np.arange(20) < 10, 0, 2)[None].repeat(20, 0)
    result = run(model, [(image, truth)], trimap_width=3)
    for value in (
        result.mean_iou,
        result.pixel_accuracy,
        result.frequency_weighted_iou,
        result.boundary_iou,
        *result.trimap_mean_iou,
        *result.trimap_accuracy,
    ):
        assert value == 1
    # Two columns on either side of the border; then four, then six.
    assert result.trimap.sum(axis=(1, 2)).tolist() == [40, 80, 120]


def test_every_dataset_gives_the_same(model, examples, files):
    import tensorflow as tf

    expected = run(model, examples)

    def generate():
        yield from ({k: x[k] for k in ("image", "labels", "name")} for x in examples)

    signature = {
        "image": tf.TensorSpec((None, None, 3), "uint8"),
        "labels": tf.TensorSpec((None, None), "uint8"),
        "name": tf.TensorSpec((), "string"),
    }
    stream = tf.data.Dataset.from_generator(generate, output_signature=signature)
    pairs = [(x["image"].astype("float32"), x["labels"][..., None]) for x in examples]
    for dataset in (files, stream, pairs, iter(pairs)):
        result = run(model, dataset)
        np.testing.assert_array_equal(result.confusion, expected.confusion)
        assert result.mean_iou == expected.mean_iou
    assert [image.name for image in run(model, stream).images] == [x["name"] for x in examples]
    assert run(model, pairs).images[1].name == "image 1"


def test_batches_and_limit(model, rng):
    import tensorflow as tf

    images, truths = zip(*(picture(rng, 20, 25) for _ in range(5)), strict=True)
    single = tf.data.Dataset.from_tensor_slices((np.stack(images), np.stack(truths)))
    expected = run(model, single.take(3))
    result = run(model, single.repeat().batch(2), limit=3)
    np.testing.assert_array_equal(result.confusion, expected.confusion)
    assert [image.name for image in result.images] == ["image 0", "image 1", "image 2"]
    with pytest.raises(ValueError, match="must have an end"):
        run(model, single.repeat())


def test_images_carry_their_own_results(model, examples):
    result = run(model, examples)
    alone = run(model, [examples[2]])
    assert result.images[2].mean_iou == alone.mean_iou
    assert (result.images[2].height, result.images[2].width) == (25, 25)
    assert result.seconds_per_image > 0


def test_pictures_are_the_worst_and_the_best(model, examples):
    result = run(model, examples, pictures=1)
    ordered = sorted(result.images, key=lambda image: image.mean_iou)
    assert [x.name for x in result.pictures] == [ordered[0].name, ordered[-1].name]
    assert run(model, examples, pictures=0).pictures == ()
    large = {**examples[0], "image": np.zeros((1000, 500, 3), "uint8")}
    large["labels"] = np.zeros((1000, 500), "uint8")
    (picture,) = run(model, [large]).pictures
    assert picture.image.shape == (400, 200, 3)
    assert picture.truth.shape == picture.labels[0].shape == (400, 200)


def test_crf_is_measured_in_the_same_pass(model, examples):
    crf = DenseCRF(bilateral_weight=1, spatial_weight=20, num_iterations=5)
    result = run(model, examples[:1], crf=crf)
    np.testing.assert_array_equal(result.confusion, run(model, examples[:1]).confusion)
    labels = segment(model, examples[0]["image"], size="own", crf=crf).labels
    valid = examples[0]["labels"] != 255
    accuracy = (labels == examples[0]["labels"])[valid].mean()
    assert result.crf.images[0].pixel_accuracy == pytest.approx(accuracy)
    assert not np.array_equal(result.crf.confusion, result.confusion)
    assert result.protocol["crf"]["spatial_weight"] == 20
    assert all(b.seconds > a.seconds for a, b in zip(result.images, result.crf.images, strict=True))


def test_protocols_are_those_of_segment(model, examples):
    for options in (
        dict(size=33),
        dict(size=33, scales=(0.5, 1.0, 1.5), flip=True),
        dict(size=(16, 20), sliding_window=True),
    ):
        result = run(model, examples[:1], **options)
        labels = segment(model, examples[0]["image"], **options).labels
        valid = examples[0]["labels"] != 255
        expected = (labels == examples[0]["labels"])[valid].mean()
        assert result.pixel_accuracy == pytest.approx(expected)
    assert result.protocol == {
        "size": [16, 20], "scales": [1.0], "flip": False, "sliding_window": True, "crf": None,
    }  # fmt: skip


def test_another_ignore_class(model, examples):
    expected = run(model, examples)
    for x in examples:
        x["labels"] = np.where(x["labels"] == 255, 77, x["labels"])
    result = run(model, examples, ignore_class=77)
    np.testing.assert_array_equal(result.confusion, expected.confusion)
    np.testing.assert_array_equal(result.boundary, expected.boundary)
    with pytest.raises(ValueError, match=r"photo_0: labels must be 0 to 3, or 255 .* 77 in 5.0%"):
        run(model, examples)


def test_images_without_truth_do_not_count(model, examples):
    empty = {**examples[0], "labels": np.full((20, 30), 255)}
    result = run(model, [empty, *examples])
    assert np.isnan(result.images[0].mean_iou)
    assert result.mean_iou == run(model, examples).mean_iou
    assert result.to_dict()["images"][0]["mean_iou"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(labels=np.zeros((20, 29), int)), r"photo_0: image and labels must have one size"),
        (dict(labels=np.zeros((20, 30, 3), int)), "photo_0: labels must be integers of shape"),
        (dict(labels=np.zeros((20, 30))), "photo_0: labels must be integers .* float64"),
        (dict(labels=np.full((20, 30), -1)), r"photo_0: labels must be 0 to 3.* -1 in 100.0%"),
        (dict(image=np.full((20, 30, 3), -0.5)), "photo_0: An image must have finite levels 0-255"),
    ],
)
def test_wrong_elements_are_named(model, examples, change, words):
    with pytest.raises(ValueError, match=words):
        run(model, [{**examples[0], **change}])


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ([], "must hold images. Received: none"),
        ([{"image": 1, "mask": 2}], r"with 'image' and 'labels'.* keys \['image', 'mask'\]"),
        ([np.zeros((4, 4, 3))], "Received: ndarray as element 0"),
    ],
)
def test_what_is_no_dataset(model, dataset, words):
    with pytest.raises(ValueError, match=words):
        run(model, dataset)


def test_classes_of_the_dataset(model, files, caplog):
    files.class_names = NAMES[:3]
    with pytest.raises(ValueError, match="must have the network's classes, in their order"):
        run(model, files)
    files.class_names = NAMES[::-1]
    with pytest.raises(ValueError, match="must have the network's classes, in their order"):
        run(model, files)
    files.class_names = ("crimson", *NAMES[1:])
    run(model, files)
    assert "'crimson' is compared with 'red'" in caplog.text
    files.class_names = ("class 0", "class 1", "class 2")
    assert run(model, files).class_names == NAMES


def test_a_network_without_names_takes_the_datasets(files):
    image = keras.Input((None, None, 3))
    bare = keras.Model(image, keras.layers.Conv2D(4, 1)(image))
    assert run(bare, files).class_names == NAMES
    assert run(bare, list(files)).class_names[0] == "class 0"


def test_a_network_that_returns_labels(model, examples):
    segmenter = open_segmenter(model)
    labels = type(segmenter)(
        **{
            **vars(segmenter),
            "output": "labels",
            "run": lambda x: segmenter.run(x).argmax(-1),
        }
    )
    np.testing.assert_array_equal(run(labels, examples).confusion, run(model, examples).confusion)
    with pytest.raises(ValueError, match="must return scores for a CRF"):
        run(labels, examples, crf=True)


def test_counts_by_hand(model):
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]])
    labels = np.array([[0, 1, 1, 1], [0, 0, 0, 0]])
    segmenter = open_segmenter(model)
    network = type(segmenter)(
        **{**vars(segmenter), "output": "labels", "run": lambda images: images[..., 0].astype(int)}
    )
    image = np.repeat(labels[..., None], 3, -1).astype("uint8")
    result = run(network, [(image, truth)] * 2, trimap_width=3)
    assert result.confusion[:2, :2].tolist() == [[6, 2], [2, 4]]
    # Every labelled pixel is within three pixels of the boundary.
    assert result.trimap[-1].tolist() == result.confusion.tolist()
    assert [one.name for one in result.images] == ["image 0", "image 1"]
    assert (result.images[0].height, result.images[0].width) == (2, 4)
    assert result.images[0].pixel_accuracy == pytest.approx(5 / 7)
    assert result.images[0].mean_iou == pytest.approx((3 / 5 + 2 / 4) / 2)
    with pytest.raises(ValueError, match=r"^image 0: labels must be .*Received: 0 to 9"):
        run(network, [(np.where(image == 1, 9, image), truth)])


@pytest.mark.parametrize("option", [dict(limit=0), dict(trimap_width=0), dict(pictures=-1)])
def test_wrong_options(model, examples, option):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        run(model, examples, **option)


@pytest.mark.slow
def test_published_networks_on_coco128(published_weights, shared):
    """Every sixteenth photo; on all 128, over the true classes, 0.601 in float, 0.596 in 8 bits."""
    pytest.importorskip("ai_edge_litert")
    from keras_deeplab import DeepLab

    folder = shared / "data" / "coco128_voc"
    photos = sorted((folder / "images").iterdir())[::16]
    pairs = [(photo, folder / "labels" / f"{photo.stem}.png") for photo in photos]
    file = published_weights / "deeplabv3_mnv2_pascal_quant.tflite"
    names = DATASETS["voc"].class_names
    ours = evaluate(DeepLab("deeplab_v3_mobilenet_v2.voc_trainaug"), pairs, progressbar=False)
    theirs = evaluate(file, pairs, class_names=names, progressbar=False)
    assert theirs.mean_iou == pytest.approx(0.6, abs=0.15)
    assert ours.mean_iou == pytest.approx(theirs.mean_iou, abs=0.02)


def test_a_dataset_without_labelled_pixels(model, examples):
    for element in examples:
        element["labels"][:] = 255
    with pytest.raises(ValueError, match="labelled pixels. Received: 5 images .* label 255"):
        run(model, examples)


def test_unreadable_files_are_left_out_and_named(model, files, caplog, tmp_path: Path):
    files.examples[1].image.write_bytes(b"no photo")
    files.examples[3].mask.unlink()
    result = run(model, files, limit=3)
    assert [image.name for image in result.images] == ["photo_0", "photo_2", "photo_4"]
    assert result.left_out == ("photo_1", "photo_3")
    assert result.to_dict()["left_out"] == ["photo_1", "photo_3"]
    assert "photo_1 is left out" in caplog.text
    expected = run(model, files.subset([0, 2, 4]))
    assert expected.left_out == ()
    np.testing.assert_array_equal(result.confusion, expected.confusion)
    (page, *_) = (file for file in write_report(result, tmp_path / "out") if file.suffix == ".html")
    assert "2 not readable, left out: photo_1, photo_3." in page.read_text(encoding="utf-8")
    for example in files.examples:
        example.image.write_bytes(b"no photo")
    with pytest.raises(ValueError, match="Received: .*photo_0"):
        run(model, files)


def test_a_label_that_is_no_class_is_an_error(model, files):
    Image.fromarray(np.full((31, 22), 7, "uint8")).save(files.examples[1].mask)
    with pytest.raises(ValueError, match="Labels must be 0 to 3.*photo_1_mask"):
        run(model, files)
