"""Peers' own networks with random weights, saved as the peers save them, for compare_with_peers.py.

Each function takes a folder to save into and a folder of repositories, and returns the peer: a
function from a photo, RGB 0-255, to class scores at the size of the photo.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Scores = Callable[[np.ndarray], np.ndarray]
CLASSES = 21
# A hundred layers of random residual branches as large as the sum that they are added to amplify
# the rounding of float32 beyond 1e-4, in the peers too: branches end with smaller gammas.
GAMMAS, GAMMAS_OF_BRANCHES = (0.5, 1.5), (0.1, 0.5)
ENDS_OF_BRANCHES = (".bn3", ".increase.bn", "_3_bn")
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Peer(NamedTuple):
    """A peer's network.

    Attributes:
        scores: From a photo (height, width, 3), uint8, to scores (height, width, classes).
        exact: The same with the peer's code in float64. None where it has no float64.
        file: What the peer saved.
        options: Arguments of `DeepLab` besides the file.
        model: Our network, where the peer saves no file.
    """

    scores: Scores
    exact: Scores | None = None
    file: Path = Path()
    options: dict[str, Any] | None = None
    model: Any = None


def torchvision(name: str, folder: Path, _: Path) -> Peer:
    import_torchvision()
    from torchvision.models import segmentation

    network = getattr(segmentation, name)(
        weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True
    )
    return _torch_peer(network, folder / f"{name}.pth", output=lambda result: result["out"])


def smp(name: str, encoder: str, folder: Path, _: Path, classes: int = CLASSES) -> Peer:
    import_torchvision()
    import segmentation_models_pytorch

    network = getattr(segmentation_models_pytorch, name)(
        encoder, encoder_weights=None, classes=classes
    )
    return _torch_peer(network, folder / "smp.pth")


def transformers(output_stride: int, folder: Path, _: Path) -> Peer:
    import_torchvision()
    from transformers import MobileNetV2Config, MobileNetV2ForSemanticSegmentation

    config = MobileNetV2Config(
        num_labels=CLASSES,
        output_stride=output_stride,
        tf_padding=True,
        # As published; transformers' own default is the ImageNet network's.
        layer_norm_eps=0.001,
        finegrained_output=True,
    )
    network = MobileNetV2ForSemanticSegmentation(config)

    def align_corners(scores: Any, size: Any) -> Any:
        return _resized(scores, size, align_corners=True)

    peer = _torch_peer(
        network,
        folder / "unused.pth",
        output=lambda result: result.logits,
        resize=align_corners,
        normalise=lambda photo: photo / 127.5 - 1,
    )
    network.save_pretrained(folder)
    return peer._replace(file=folder / "model.safetensors")


def mmsegmentation(plus: bool, depth: int, folder: Path, _: Path) -> Peer:
    """The modules of its configuration deeplabv3(plus)_r50-d8."""
    import torch

    import_torchvision()
    _stub_compiled_operators()
    import mmseg.models as models

    norm = dict(type="BN", requires_grad=True)
    backbone = models.ResNetV1c(
        depth=depth,
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        norm_cfg=norm,
        contract_dilation=True,
        style="pytorch",
    )
    head = dict(in_channels=2048, in_index=3, channels=512, dilations=(1, 12, 24, 36))
    head |= dict(num_classes=CLASSES, norm_cfg=norm, align_corners=False, dropout_ratio=0.1)
    if plus:
        decode = models.DepthwiseSeparableASPPHead(c1_in_channels=256, c1_channels=48, **head)
    else:
        decode = models.ASPPHead(**head)

    class Segmentor(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.decode_head = backbone, decode

        def forward(self, x: Any) -> Any:
            return self.decode_head(self.backbone(x))

    file = folder / "iter_20000.pth"
    peer = _torch_peer(Segmentor(), file)
    state = torch.load(file)
    torch.save({"meta": {"iter": 20000}, "state_dict": state, "optimizer": {}}, file)
    return peer


def kazuto(name: str, folder: Path, repositories: Path) -> Peer:
    models = _repository(repositories / "deeplab-pytorch", "libs.models")
    network = getattr(models, name)(n_classes=CLASSES)
    # A file does not tell its rates.
    small = {"version": "v2", "backbone": "resnet101", "variant": "aspp_s"}

    def normalise(photo: np.ndarray) -> np.ndarray:
        return photo[..., ::-1] - np.array([104.008, 116.669, 122.675])

    peer = _torch_peer(network, folder / "kazuto.pth", normalise=normalise)
    return peer._replace(options=small if "V2S" in name else None)


def vainf(name: str, folder: Path, repositories: Path) -> Peer:
    import torch

    network = _repository(repositories / "DeepLabV3Plus-Pytorch", "network").modeling
    network = getattr(network, name)(
        num_classes=CLASSES,
        output_stride=8 if "plus" not in name else 16,
        pretrained_backbone=False,
    )
    file = folder / "best.pth"
    peer = _torch_peer(network, file)
    state = torch.load(file)
    torch.save({"cur_itrs": 9, "model_state": state, "best_score": np.float64(0.5)}, file)
    return peer


def jfzhang(folder: Path, repositories: Path) -> Peer:
    import torch

    root = repositories / "pytorch-deeplab-xception"
    resnet = _repository(root, "modeling.backbone.resnet")
    resnet.ResNet._load_pretrained_model = lambda self: None
    network = _repository(root, "modeling.deeplab").DeepLab("resnet", num_classes=CLASSES)
    file = folder / "checkpoint.pth.tar"
    peer = _torch_peer(network, file)
    torch.save({"epoch": 3, "state_dict": torch.load(file), "best_pred": 0.5}, file)
    return peer


def tf_slim(backbone: str, folder: Path, _: Path) -> Peer:
    """TF-Slim's graph in TensorFlow's operations, as described in tests/reference."""
    import tensorflow as tf

    from tests.reference.slim_networks import SlimNetwork

    slim = SlimNetwork(np.random.default_rng(0))

    def scores(photo: np.ndarray) -> np.ndarray:
        image = photo[None].astype("float32") / 127.5 - 1
        if backbone == "mobilenet_v2":
            x = slim.aspp(slim.mobilenet_v2(image))
        else:
            x, low_level = slim.xception(image, backbone, 1, 16)
            x = slim.decoder(slim.aspp(x, (6, 12, 18)), low_level)
        x = slim.logits(x, CLASSES)
        return tf.compat.v1.image.resize_bilinear(x, photo.shape[:2], align_corners=True)[0].numpy()

    centre = scores(_photo((129, 129))).mean((0, 1))
    slim.variables["logits/semantic/biases"] -= centre
    slim.write(folder / "model.ckpt")
    return Peer(scores, file=folder / "model.ckpt.index")


def _torch_peer(
    network: Any,
    file: Path,
    *,
    output: Callable[[Any], Any] = lambda result: result,
    resize: Callable[[Any, Any], Any] | None = None,
    normalise: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Peer:
    """Gives a PyTorch network random weights, saves its state dict, and returns its scores."""
    import torch

    def image(photo: np.ndarray) -> Any:
        if normalise is None:
            values = (photo / 255.0 - _MEAN) / _DEVIATION
        else:
            values = normalise(photo.astype("float64"))
        return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())

    def raw(photo: np.ndarray) -> Any:
        with torch.no_grad():
            return output(network(image(photo).to(next(network.parameters()).dtype)))

    def scores(photo: np.ndarray) -> np.ndarray:
        result = (resize or _resized)(raw(photo), photo.shape[:2])
        return result[0].permute(1, 2, 0).numpy()

    def exact(photo: np.ndarray) -> np.ndarray:
        network.double()
        try:
            return scores(photo)
        finally:
            network.float()

    _randomise(network.eval(), lambda: raw(_photo((256, 256))))
    torch.save(network.state_dict(), file)
    return Peer(scores, exact, file)


def _resized(scores: Any, size: Any, align_corners: bool = False) -> Any:
    import torch.nn.functional as F  # noqa: N812

    if tuple(scores.shape[2:]) == tuple(size):
        return scores
    return F.interpolate(scores, tuple(size), mode="bilinear", align_corners=align_corners)


def _randomise(network: Any, run: Callable[[], Any]) -> None:
    """Random kernels, and batch norm statistics near those of a photo; no class always wins."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    hooks, last = [], None

    def statistics(module: Any, inputs: Any) -> None:
        (x,) = inputs
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        # A pooled feature has one pixel, and no variance.
        variance = torch.maximum(variance, 0.1 * mean**2 + 1e-3)
        module.running_mean.copy_(mean + 0.2 * variance.sqrt() * torch.randn_like(mean))
        module.running_var.copy_(variance * torch.empty_like(mean).uniform_(0.7, 1.4))

    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.normal_(module.bias, 0, 0.1)
                    last = module
            elif isinstance(module, nn.BatchNorm2d):
                ends_branch = name.endswith(ENDS_OF_BRANCHES)
                nn.init.uniform_(module.weight, *(GAMMAS_OF_BRANCHES if ends_branch else GAMMAS))
                nn.init.normal_(module.bias, 0, 0.3)
                hooks.append(module.register_forward_pre_hook(statistics))
        run()
        for hook in hooks:
            hook.remove()
        if last is not None and last.out_channels > 1:
            last.bias -= run().mean((0, 2, 3))


def import_torchvision() -> None:
    """Imports torchvision where its compiled operators are missing: no network here calls them."""
    from tests.reference import torch_networks

    torch_networks.import_torchvision()


def _photo(size: tuple[int, int]) -> np.ndarray:
    from tools.compare_with_peers import photo

    return photo(size)


def _repository(root: Path, module: str) -> Any:
    """Imports a module of a repository; its packages have names that others have too."""
    if not root.is_dir():
        raise ModuleNotFoundError(f"{root} is missing: clone the repository there")
    top = module.partition(".")[0]
    known = sys.modules.get(top)
    if known is not None and str(root) not in str(getattr(known, "__file__", "")):
        for name in [name for name in sys.modules if name.partition(".")[0] == top]:
            del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(root))


def _stub_compiled_operators() -> None:
    """Lets mmsegmentation be imported with mmcv-lite: DeepLab uses no compiled operator."""

    class Stub(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_: None

    try:
        importlib.import_module("mmcv._ext")
    except ModuleNotFoundError:
        sys.modules["mmcv._ext"] = Stub("mmcv._ext")
