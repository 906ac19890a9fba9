"""Whole and hostile files that `tools/fuzz.py` damages: one folder per family.

A family is a folder of files for one entry point; the first name of `FAMILIES` is the file that is
damaged in a copy of that folder.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

IMAGE_FORMATS = {
    "jpg": {},
    "png": {},
    "webp": {"lossless": True},
    "tif": {"compression": "tiff_lzw"},
    "bmp": {},
    "gif": {},
    "avif": {},
}
# The file that is damaged, and the weight of the family in the number of cases.
FAMILIES: dict[str, tuple[str, int]] = {
    **{f"photo_{kind}": (f"photo.{kind}", 5) for kind in IMAGE_FORMATS},
    **{f"mask_{kind}": (f"masks/a.{kind}", 3) for kind in ("png", "tif", "bmp", "gif", "webp")},
    "mask_mat": ("a.mat", 3),
    "list_train": ("train.txt", 2),
    "list_classes": ("classes.txt", 2),
    "list_json": ("classes.json", 2),
    "list_labelmap": ("labelmap.txt", 2),
    "annotations_coco": ("annotations.json", 2),
    "annotations_cvat": ("annotations.xml", 2),
    "annotations_labelme": ("a.json", 2),
    "annotations_labelstudio": ("tasks.json", 2),
    "annotations_yolo": ("labels/a.txt", 2),
    "video_mp4": ("clip.mp4", 2),
    "convert_arrays": ("net.npz", 3),
    "convert_torchvision": ("net.pth", 3),
    "convert_torchvision_old": ("net.pth", 3),
    "convert_hugging_face": ("net.safetensors", 3),
    "convert_caffe": ("net.caffemodel", 3),
    "convert_tf_slim": ("net.tar.gz", 3),
    "convert_tflite": ("net.tflite", 3),
    "deeplab_keras": ("net.keras", 2),
    "model_keras": ("net.keras", 4),
    "model_h5": ("net.h5", 3),
    "model_tflite": ("net.tflite", 5),
    "model_onnx": ("net.onnx", 3),
    "model_saved_model": ("net/saved_model.pb", 3),
    "model_variables": ("net/variables/variables.index", 1),
    "model_sidecar": ("net.tflite.json", 2),
}
# Files that try to run code or to write outside their folder, tried as they are and damaged.
HOSTILE: dict[str, tuple[str, int]] = {
    "hostile_pickle": ("net.pth", 1),
    "hostile_npz": ("net.npz", 1),
    "hostile_tar": ("net.tar.gz", 1),
    "hostile_lambda": ("net.keras", 1),
    "hostile_h5": ("net.h5", 1),
    "hostile_saved_model": ("net/saved_model.pb", 1),
}


def make_inputs(folder: Path, outside: Path) -> None:
    """Writes the folders of all families.

    Args:
        folder: Where to write them.
        outside: Folder that hostile files try to write into.
    """
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    _images(folder, rng)
    _lists(folder, rng)
    _annotations(folder, rng)
    _video(folder, rng)
    _weights(folder, rng)
    _networks(folder)
    _hostile(folder, outside)


def _images(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image
    from scipy.io import savemat

    noise = rng.integers(0, 256, (6, 8, 3)).astype("uint8")
    photo = Image.fromarray(noise).resize((97, 65))
    exif = Image.Exif()
    exif[0x0112] = 6
    labels = np.zeros((65, 97), "uint8")
    labels[:30, :50], labels[40:] = 1, 255
    mask = Image.fromarray(labels)
    for kind, options in IMAGE_FORMATS.items():
        family = _new(folder / f"photo_{kind}")
        photo.save(family / f"photo.{kind}", **options, **({"exif": exif} if kind == "jpg" else {}))
        if f"mask_{kind}" in FAMILIES:
            pair = folder / f"mask_{kind}"
            for name in ("images", "masks"):
                _new(pair / name)
            for name in "ab":
                photo.save(pair / "images" / f"{name}.jpg")
            mask.save(pair / "masks" / f"a.{kind}", **options)
            mask.save(pair / "masks" / "b.png")
    for content, name in [
        ({"LabelMap": labels.astype("float64")}, "context"),
        ({"GTcls": {"Segmentation": labels, "Boundaries": np.zeros((2, 1))}}, "sbd"),
    ]:
        path = _new(folder / "mask_mat") / ("a.mat" if name == "sbd" else f"{name}.mat")
        savemat(path, content, do_compression=True)


def _lists(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    photo = Image.fromarray(rng.integers(0, 256, (16, 16, 3)).astype("uint8"))
    texts = {
        "list_train": {"train.txt": "a\nb\n", "classes.txt": "sky\nroad\n"},
        "list_classes": {"classes.txt": "sky\nroad\ncar\n"},
        "list_json": {"classes.json": json.dumps({"0": "sky", "1": "road"})},
        "list_labelmap": {"labelmap.txt": "# comment\nsky:0,0,0::\nroad:1,1,1::\n"},
    }
    for family, files in texts.items():
        for name in ("images", "masks"):
            _new(folder / family / name)
        for name in "ab":
            photo.save(folder / family / "images" / f"{name}.png")
            Image.fromarray(np.eye(16, dtype="uint8")).save(folder / family / f"masks/{name}.png")
        for name, text in files.items():
            (folder / family / name).write_text(text)


def _annotations(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    from keras_deeplab.data.annotations.annotation_writers import annotation_writer

    labels = np.zeros((32, 48), "uint8")
    labels[4:20, 6:30], labels[18:30, 26:44] = 1, 2
    for family, (victim, _) in FAMILIES.items():
        if not family.startswith("annotations_"):
            continue
        target = _new(folder / family)
        kind = family.removeprefix("annotations_")
        writer = annotation_writer(kind, target, ("background", "sky", "road"))
        for name in "ab":
            photo = target / f"{name}.png"
            if kind == "yolo":
                photo = _new(target / "images") / photo.name
            Image.fromarray(rng.integers(0, 256, (32, 48, 3)).astype("uint8")).save(photo)
            writer.add(photo, labels)
        writer.finish()
        if not (target / victim).is_file():
            (json_file,) = target.glob("*.json")
            json_file.rename(target / victim)


def _video(folder: Path, rng: np.random.Generator) -> None:
    import av

    with av.open(str(_new(folder / "video_mp4") / "clip.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for picture in rng.integers(0, 256, (12, 32, 48, 3)).astype("uint8"):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


def _weights(folder: Path, rng: np.random.Generator) -> None:
    import keras
    import tensorflow as tf
    from safetensors.numpy import save_file

    from keras_deeplab import DeepLab
    from keras_deeplab.models import BuildOptions, build_model
    from keras_deeplab.presets.datasets import DATASETS
    from keras_deeplab.presets.networks import DEEPLABS
    from keras_deeplab.presets.weights import WEIGHTS
    from keras_deeplab.weights.load import named_weights
    from keras_deeplab.weights.readers.arrays import write_arrays
    from tests.reference.caffemodel_writer import write_caffemodel
    from tests.reference.tflite_writer import write_tflite
    from tests.reference.torch_file_writer import legacy_file, state_dict, zip_file

    model = DeepLab()
    row = next(row for row in WEIGHTS.values() if row.url is None)
    bundled = build_model(
        DEEPLABS[row.network],
        class_names=DATASETS[row.dataset].class_names,
        options=BuildOptions.published(row),
    )
    arrays = {key: np.asarray(value) for key, value in named_weights(bundled).items()}
    write_arrays(_new(folder / "convert_arrays") / "net.npz", arrays)
    kernel, vector = rng.normal(size=(8, 3, 3, 3)).astype("float32"), np.ones(8, "float32")
    last, vectors = rng.normal(size=(21, 8, 1, 1)).astype("float32"), np.ones(21, "float32")
    # Parts of networks: they are read whole, and then found to be incomplete.
    torch = {"backbone.conv1.weight": kernel, "backbone.bn1.weight": vector}
    torch |= {"classifier.4.weight": last, "classifier.4.bias": vectors}
    path = _new(folder / "convert_torchvision") / "net.pth"
    path.write_bytes(zip_file(state_dict(torch), torch))
    (_new(folder / "convert_torchvision_old") / "net.pth").write_bytes(legacy_file(torch))
    face = {"mobilenet_v2.conv_stem.first_conv.convolution.weight": kernel}
    face["segmentation_head.classifier.classifier.convolution.bias"] = vectors
    save_file(face, _new(folder / "convert_hugging_face") / "net.safetensors")
    layers = [("conv1_1", "Convolution", [kernel, vector])]
    layers += [("fc8_voc12", "Convolution", [last, vectors])]
    (_new(folder / "convert_caffe") / "net.caffemodel").write_bytes(write_caffemodel(layers))
    names = {"MobilenetV2/Conv/weights": kernel, "MobilenetV2/Conv/BatchNorm/gamma": vector}
    names |= {"logits/semantic/weights": last, "logits/semantic/biases": vectors}
    prefix = _new(folder / "slim") / "model.ckpt-1"
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(names),
        shape_and_slices=[""] * len(names),
        tensors=list(names.values()),
    )
    with tarfile.open(_new(folder / "convert_tf_slim") / "net.tar.gz", "w:gz") as archive:
        for file in sorted(prefix.parent.iterdir()):
            archive.add(file, f"net/{file.name}")
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    convolutions = {
        layer.name: (
            rng.integers(0, 7, layer.kernel.shape),
            rng.integers(-4, 5, layer.kernel.shape[2 + (layer.kernel.shape[3] != 1)]),
        )
        for layer in model.layers
        if isinstance(layer, kinds)
    }
    (_new(folder / "convert_tflite") / "net.tflite").write_bytes(write_tflite(convolutions))


def small_network() -> Any:
    """Returns a network of three classes with few weights."""
    import keras

    from keras_deeplab.layers import SegmentationOutput

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return keras.Model(
        image, SegmentationOutput(("sky", "road", "car"), None)(keras.layers.Conv2D(3, 1)(x))
    )


def _networks(folder: Path) -> None:
    from keras_deeplab import DeepLab
    from keras_deeplab.exports import export

    model = small_network()
    DeepLab(classes=3).save(_new(folder / "deeplab_keras") / "net.keras")
    model.save(_new(folder / "model_keras") / "net.keras")
    model.save(_new(folder / "model_h5") / "net.h5")
    for family, name in [
        ("model_tflite", "net.tflite"),
        ("model_sidecar", "net.tflite"),
        ("model_onnx", "net.onnx"),
        ("model_saved_model", "net"),
        ("model_variables", "net"),
    ]:
        export(model, _new(folder / family) / name, input_size=33)


def _hostile(folder: Path, outside: Path) -> None:
    import keras
    import tensorflow as tf

    class Touch:
        def __reduce__(self) -> Any:
            import os

            return os.system, (f"touch {outside}/from_pickle",)

    from tests.reference.torch_file_writer import zip_file

    path = _new(folder / "hostile_pickle") / "net.pth"
    path.write_bytes(zip_file(pickle.dumps({"a": Touch()}, 2)))
    objects = np.array([Touch()], dtype=object)
    np.savez(_new(folder / "hostile_npz") / "net.npz", a=objects)
    with tarfile.open(_new(folder / "hostile_tar") / "net.tar.gz", "w:gz") as archive:
        for name in ("../../outside/model.ckpt-1.index", f"{outside}/model.ckpt-1.index"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"evil"))
    image = keras.Input((None, None, 3))
    code = f"open({str(outside / 'from_lambda')!r}, 'w').close()"
    text = base64.b64encode(code.encode()).decode()
    layer = keras.layers.Lambda(eval(f"lambda x: exec(__import__('base64').b64decode('{text}'))"))
    scores = keras.layers.Conv2D(3, 1)(keras.layers.Lambda(lambda x: x * 2)(image))
    model = keras.Model(image, scores)
    model.layers[1].function = layer.function
    model.save(_new(folder / "hostile_lambda") / "net.keras")
    model.save(_new(folder / "hostile_h5") / "net.h5")

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])
        def serve(self, images: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(f"{outside}/from_graph", "x")]):
                return {"scores": tf.identity(images)}

    module = Module()
    target = _new(folder / "hostile_saved_model") / "net"
    tf.saved_model.save(module, str(target), signatures=module.serve)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
