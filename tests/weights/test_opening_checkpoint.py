import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from keras_deeplab import DeepLab
from keras_deeplab.cli import main
from keras_deeplab.models import BuildOptions
from keras_deeplab.presets.datasets import DATASETS, numbered_classes
from keras_deeplab.weights.opening_checkpoint import open_checkpoint
from tests.reference.torch_file_writer import state_dict, zip_file
from tests.reference.torch_peers import import_torch, randomize, tensors


def thin(named: dict[str, np.ndarray], classes: int, classifier: str) -> dict[str, np.ndarray]:
    """Arrays of one number each, except those whose shapes tell what the network is."""
    arrays = {
        name: np.ones([1] * array.ndim, "float32")
        for name, array in named.items()
        if "num_batches" not in name
    }
    for name in (name for name in named if name.endswith("layer1.0.conv2.weight")):
        arrays[name] = np.zeros((64, 64, 3, 3), "float32")
    arrays[f"{classifier}.weight"] = np.ones((classes, 1, 1, 1), "float32")
    arrays[f"{classifier}.bias"] = np.arange(classes, dtype="float32")
    return arrays


def torchvision_file(path: Path, classes: int, name: str = "deeplabv3_resnet50") -> Path:
    import_torch()
    models = pytest.importorskip("torchvision.models.segmentation")
    build = getattr(models, name)
    named = tensors(lambda: build(weights=None, weights_backbone=None, aux_loss=True))
    arrays = thin(named, classes, "classifier.4")
    path.write_bytes(zip_file(state_dict(arrays), arrays))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return torchvision_file(tmp_path_factory.mktemp("torchvision") / "mine.pth", 19)


@pytest.mark.parametrize("classes", [19, 21, 150, 182])
def test_the_number_of_classes_says_nothing_of_their_names(classes: int, tmp_path: Path):
    start = open_checkpoint(torchvision_file(tmp_path / "mine.pth", classes))
    assert start.row.name == "deeplab_v3_resnet50"
    assert start.class_names == numbered_classes(classes)
    assert start.options == BuildOptions(preprocessing="torch", align_corners=False)
    assert start.options.inference_size is None


def test_names_of_classes(file: Path):
    cityscapes = DATASETS["cityscapes"].class_names
    assert open_checkpoint(file, class_names=cityscapes).class_names == cityscapes
    with pytest.raises(ValueError, match=r"must be 19 distinct names.*2 names, \['a', 'b'\].*mine"):
        open_checkpoint(file, class_names=["a", "b"])
    with pytest.raises(ValueError, match="must be 19 distinct names.*19 names"):
        open_checkpoint(file, class_names=["a"] * 19)


def test_a_single_score_becomes_two(tmp_path: Path):
    start = open_checkpoint(torchvision_file(tmp_path / "mine.pth", 1))
    assert start.class_names == ("background", "foreground")
    kernel, bias = start.arrays["classifier/kernel"], start.arrays["classifier/bias"]
    assert kernel.shape[-1] == 2
    # softmax over (0, z) is the sigmoid of z.
    assert not kernel[..., 0].any()
    assert kernel[..., 1].all()
    assert bias.tolist() == [0.0, 0.0]
    named = open_checkpoint(tmp_path / "mine.pth", class_names=["road"])
    assert named.class_names == ("background", "road")
    named = open_checkpoint(tmp_path / "mine.pth", class_names=["other", "road"])
    assert named.class_names == ("other", "road")


def test_the_content_says_what_a_file_is(network_file: Path, tmp_path: Path):
    renamed = network_file.rename(tmp_path / "renamed.pth")
    assert open_checkpoint(renamed).row.name == "deeplab_v3_mobilenet_v2_050"
    # Another network's names: its options are built without an error of their own.
    start = open_checkpoint(renamed, network="deeplab_v3_resnet50")
    assert start.options.padding == "symmetric"
    with pytest.raises(ValueError, match=r"member must be left out .*'tflite'.*renamed.pth"):
        open_checkpoint(renamed, member="x")
    for name in ("photo.png", "notes.txt", "data.mat", "LICENSE"):
        (tmp_path / name).write_bytes(b"\x89PNG text")
        with pytest.raises(ValueError, match=f"A checkpoint must be a file of PyTorch.*{name}"):
            open_checkpoint(tmp_path / name)


@pytest.mark.parametrize("converter", ["smp", "vainf", "mmseg", "kazuto", "hugging_face"])
def test_a_wrong_converter_is_told_the_right_one(converter: str, file: Path):
    words = r"mine.pth, which is torchvision's DeepLab v3 on ResNet-50: read it with the converter"
    with pytest.raises(ValueError, match=rf"{words} 'torchvision'"):
        open_checkpoint(file, converter=converter)


@pytest.mark.parametrize("converter", ["tf_slim", "tflite", "caffe", "arrays"])
def test_a_converter_of_another_format_names_the_file(converter: str, file: Path):
    with pytest.raises(ValueError, match=r"mine\.pth"):
        open_checkpoint(file, converter=converter, network="deeplab_v3_resnet50")


def test_what_is_no_checkpoint_is_named(tmp_path: Path, file: Path):
    for name in ("net.pth", "net.bin", "net.safetensors", "net.tflite", "net.caffemodel"):
        for content in (b"", b"\x89PNG\r\n", b"{}", b"PK\x03\x04", bytes(100)):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(ValueError, match=name):
                open_checkpoint(tmp_path / name)
    (tmp_path / "net.weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"build the model first, then call its load_weights"):
        open_checkpoint(tmp_path / "net.weights.h5")
    with pytest.raises(FileNotFoundError, match="none.pth"):
        open_checkpoint(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="Did you mean 'torchvision'"):
        open_checkpoint(file, converter="torchvison")
    with pytest.raises(ValueError, match="Did you mean 'deeplab_v3_resnet50'"):
        open_checkpoint(file, network="deeplab_v3_resnet5")


def test_an_unknown_network_is_refused(tmp_path: Path):
    arrays = {"net.weight": np.ones((1, 1, 1, 1), "float32")}
    (tmp_path / "net.pth").write_bytes(zip_file(state_dict(arrays), arrays))
    with pytest.raises(ValueError, match=r"net.pth, whose network is not known.*--converter NAME"):
        open_checkpoint(tmp_path / "net.pth")
    with pytest.raises(ValueError, match="'weight' in .*net.pth, whose network is not known"):
        open_checkpoint(tmp_path / "net.pth", converter="smp", network="deeplab_v3_resnet50_smp")


def test_the_configuration_of_hugging_face(tmp_path: Path):
    import_torch()
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileNetV2Config(finegrained_output=True)
    named = tensors(lambda: transformers.MobileNetV2ForSemanticSegmentation(config))
    arrays = thin(named, 3, "segmentation_head.classifier.convolution")
    for name in ("mobilenet_v2.conv_stem.first_conv", "segmentation_head.conv_aspp"):
        name += ".convolution.weight"
        arrays[name] = np.zeros(named[name].shape, "float32")
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zip_file(state_dict(arrays), arrays))
    start = open_checkpoint(path)
    assert start.class_names == numbered_classes(3)
    tensorflow = dict(preprocessing="tf", align_corners=True, padding="tensorflow")
    assert start.options == BuildOptions(output_stride=8, **tensorflow)
    names = {"0": "sky", "1": "cat", "2": "dog"}
    for config, classes, changes in [
        ({"output_stride": 16, "id2label": names}, ("sky", "cat", "dog"), {"output_stride": 16}),
        ({"tf_padding": False}, numbered_classes(3), {"padding": "symmetric"}),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}, numbered_classes(3), {}),
        ({"id2label": {"0": "sky"}}, numbered_classes(3), {}),
        ({"output_stride": "8", "id2label": [1]}, numbered_classes(3), {}),
        ([1], numbered_classes(3), {}),
    ]:
        path.with_name("config.json").write_text(json.dumps(config))
        start = open_checkpoint(path)
        assert start.class_names == classes
        assert start.options == BuildOptions(**({"output_stride": 8, **tensorflow} | changes))


@pytest.mark.parametrize("key", ["dataset_meta", "CLASSES"])
def test_names_in_the_meta_data_of_mmsegmentation(key: str, tmp_path: Path):
    torch = import_torch()
    from tests.reference.torch_networks import MMSegDeepLab

    named = tensors(lambda: MMSegDeepLab((3, 4, 6, 3), plus=False, classes=2))
    arrays = thin(named, 2, "decode_head.conv_seg")
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    names = ("road", "other")
    meta = {key: {"classes": names} if key == "dataset_meta" else names}
    torch.save({"meta": meta, "state_dict": state}, tmp_path / "iter_9.pth")
    assert open_checkpoint(tmp_path / "iter_9.pth").class_names == names
    meta = {key: {"classes": [*names, "third"]} if key == "dataset_meta" else [*names, "third"]}
    torch.save({"meta": meta, "state_dict": state}, tmp_path / "iter_9.pth")
    assert open_checkpoint(tmp_path / "iter_9.pth").class_names == numbered_classes(2)


@pytest.fixture(scope="module")
def peer():
    torch = import_torch()
    models = pytest.importorskip("torchvision.models.segmentation")
    options = dict(weights=None, weights_backbone=None, num_classes=3, aux_loss=True)
    return torch, randomize(torch, models.deeplabv3_mobilenet_v3_large(**options))


def test_from_the_checkpoint_of_a_training_to_masks(peer, tmp_path: Path, photo, capsys):
    torch, network = peer
    path = tmp_path / "model_29.pth"
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    content = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 29}
    # As torchvision's references/segmentation writes it.
    torch.save({**content, "args": argparse.Namespace(lr=0.1, device="cpu")}, path)
    model = DeepLab(path)
    assert model.name == "deeplab_v3_mobilenet_v3_large"
    image = photo[:97, :129]
    x = (image / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        x = torch.from_numpy(x.transpose(2, 0, 1)[None].astype("float32").copy())
        expected = network(x)["out"][0].permute(1, 2, 0).numpy()
    received = np.asarray(model(image[None]))[0]
    # Random statistics of batch norm amplify the rounding of float32.
    assert np.abs(received - expected).max() < 1e-3 * np.abs(expected).max()
    out = tmp_path / "net.keras"
    names = tmp_path / "names.txt"
    names.write_text("sky\ncat\ndog\n")
    assert main(["convert", str(path), "--class-names", str(names), "--out", str(out)]) == 0
    assert "deeplab_v3_mobilenet_v3_large with 3 classes (sky, cat, dog)" in capsys.readouterr().out
    again = DeepLab(out)
    assert again.get_layer("output").class_names == ("sky", "cat", "dog")
    np.testing.assert_array_equal(np.asarray(again(image[None]))[0], received)
    fresh = DeepLab(path, classes=["a", "b"])
    assert fresh.output_shape[-1] == 2


def test_what_is_not_finite_is_refused(peer, tmp_path: Path, capsys):
    torch, network = peer
    state = dict(network.state_dict())
    for value in (float("nan"), float("inf")):
        state["backbone.1.block.0.0.weight"] = torch.full((16, 1, 3, 3), value)
        torch.save(state, tmp_path / "nan.pth")
        out = tmp_path / "net.keras"
        assert main(["convert", str(tmp_path / "nan.pth"), "--out", str(out)]) == 1
        assert "nan.pth, where block_0_depthwise/" in capsys.readouterr().err
        assert not out.exists()
