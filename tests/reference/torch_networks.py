"""DeepLab networks in plain PyTorch, with the module names of those who published weights."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def import_torchvision():
    """Imports torchvision's models where its compiled operators are missing."""
    # Declared, never called: the detection models that want them are only imported.
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # declared already, or compiled
            torch.library.define(f"torchvision::{name}", "(Tensor d, Tensor s, float t) -> Tensor")
    import torchvision.models

    return torchvision.models


def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
    """Gives random weights, and batch norm statistics that differ from the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.3, 1.0, generator=generator)
                module.bias.normal_(0, 0.1, generator=generator)
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
            elif isinstance(module, nn.Conv2d):
                fan = module.weight[0].numel()
                module.weight.normal_(0, (2 / fan) ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0, 0.1, generator=generator)
    return network.eval()


def torchvision_deeplab(blocks: Sequence[int], classes: int = 21) -> nn.Module:
    """torchvision's own classes, on a ResNet of any depth."""
    models = import_torchvision()
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3
    from torchvision.models.segmentation.fcn import FCNHead

    backbone = models.resnet.ResNet(
        models.resnet.Bottleneck,
        list(blocks),
        replace_stride_with_dilation=[False, True, True],
    )
    backbone = IntermediateLayerGetter(backbone, {"layer4": "out", "layer3": "aux"})
    return DeepLabV3(backbone, DeepLabHead(2048, classes), FCNHead(1024, classes))


def unit(in_channels, channels, size, *, stride=1, rate=1, relu=True, names=("conv", "bn", "relu")):
    layers = [
        nn.Conv2d(
            in_channels, channels, size, stride, rate * (size // 2), dilation=rate, bias=False
        ),
        nn.BatchNorm2d(channels),
        *([nn.ReLU()] if relu else []),
    ]
    return nn.Sequential(OrderedDict(zip(names, layers, strict=False)))


class KazutoBottleneck(nn.Module):
    def __init__(self, in_channels, channels, *, stride, rate, project):
        super().__init__()
        self.reduce = unit(in_channels, channels, 1, stride=stride)
        self.conv3x3 = unit(channels, channels, 3, rate=rate)
        self.increase = unit(channels, 4 * channels, 1, relu=False)
        if project:
            self.shortcut = unit(in_channels, 4 * channels, 1, stride=stride, relu=False)

    def forward(self, x):
        shortcut = self.shortcut(x) if hasattr(self, "shortcut") else x
        return F.relu(self.increase(self.conv3x3(self.reduce(x))) + shortcut)


class KazutoDeepLabV2(nn.Module):
    """DeepLab v2 on ResNet: stride on the 1x1, pool with ceil_mode, rates 2 and 4 throughout."""

    def __init__(self, blocks: Sequence[int], classes: int = 21):
        super().__init__()
        self.layer1 = nn.Sequential(
            OrderedDict(conv1=unit(3, 64, 7, stride=2), pool=nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        )
        in_channels = 64
        for index, (count, stride, rate) in enumerate(
            zip(blocks, (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        ):
            channels = 64 * 2**index
            stage = OrderedDict()
            for block in range(count):
                stage[f"block{block + 1}"] = KazutoBottleneck(
                    in_channels,
                    channels,
                    stride=stride if block == 0 else 1,
                    rate=rate,
                    project=block == 0,
                )
                in_channels = 4 * channels
            setattr(self, f"layer{index + 2}", nn.Sequential(stage))
        self.aspp = nn.Module()
        for index, rate in enumerate((6, 12, 18, 24)):
            conv = nn.Conv2d(in_channels, classes, 3, padding=rate, dilation=rate)
            self.aspp.add_module(f"c{index}", conv)

    def forward(self, x):
        for index in range(1, 6):
            x = getattr(self, f"layer{index}")(x)
        return sum(branch(x) for branch in self.aspp.children())


class KazutoMSC(nn.Module):
    """The maximum over three sizes of the image."""

    def __init__(self, base: nn.Module, scales: Sequence[float] = (0.5, 0.75)):
        super().__init__()
        self.base = base
        self.scales = scales

    def forward(self, x):
        def resize(x, size):
            return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

        scores = self.base(x)
        fused = scores
        for scale in self.scales:
            smaller = self.base(resize(x, [int(side * scale) for side in x.shape[2:]]))
            fused = torch.maximum(fused, resize(smaller, scores.shape[2:]))
        return fused


class MMSegBottleneck(nn.Module):
    def __init__(self, in_channels, channels, *, stride, rate, project):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, rate, dilation=rate, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * channels, 1, stride, bias=False),
                nn.BatchNorm2d(4 * channels),
            )

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class MMSegResNetV1c(nn.Module):
    def __init__(self, blocks: Sequence[int]):
        super().__init__()
        stem = []
        for in_channels, channels, stride in ((3, 32, 2), (32, 32, 1), (32, 64, 1)):
            stem += [*unit(in_channels, channels, 3, stride=stride)]
        self.stem = nn.Sequential(*stem)
        in_channels = 64
        for index, (count, stride, rate) in enumerate(
            zip(blocks, (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        ):
            channels = 64 * 2**index
            stage = []
            for block in range(count):
                first = block == 0
                stage.append(
                    MMSegBottleneck(
                        in_channels,
                        channels,
                        stride=stride if first else 1,
                        rate=max(1, rate // 2) if first else rate,
                        project=first,
                    )
                )
                in_channels = 4 * channels
            setattr(self, f"layer{index + 1}", nn.Sequential(*stage))

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        low_level = x = self.layer1(x)
        for stage in (self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return low_level, x


class MMSegSeparable(nn.Module):
    def __init__(self, in_channels, channels, rate=1):
        super().__init__()
        self.depthwise_conv = unit(in_channels, in_channels, 3, rate=rate)
        old = self.depthwise_conv.conv
        self.depthwise_conv.conv = nn.Conv2d(
            in_channels,
            in_channels,
            3,
            padding=old.padding,
            dilation=rate,
            groups=in_channels,
            bias=False,
        )
        self.pointwise_conv = unit(in_channels, channels, 1)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class MMSegDeepLab(nn.Module):
    """mmsegmentation's deeplabv3 (ASPPHead), or deeplabv3plus (its depthwise separable one)."""

    def __init__(self, blocks: Sequence[int], *, plus: bool, classes: int = 21, channels=512):
        super().__init__()
        self.backbone = MMSegResNetV1c(blocks)
        head = self.decode_head = nn.Module()
        head.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), unit(2048, channels, 1))
        atrous = MMSegSeparable if plus else (lambda i, o, rate: unit(i, o, 3, rate=rate))
        head.aspp_modules = nn.ModuleList(
            [unit(2048, channels, 1), *(atrous(2048, channels, rate=r) for r in (12, 24, 36))]
        )
        head.bottleneck = unit(5 * channels, channels, 3)
        if plus:
            head.c1_bottleneck = unit(256, 48, 1)
            head.sep_bottleneck = nn.Sequential(
                MMSegSeparable(channels + 48, channels), MMSegSeparable(channels, channels)
            )
        head.conv_seg = nn.Conv2d(channels, classes, 1)
        self.auxiliary_head = nn.Module()
        self.auxiliary_head.convs = nn.Sequential(unit(1024, 256, 3))
        self.auxiliary_head.conv_seg = nn.Conv2d(256, classes, 1)
        self.plus = plus

    def forward(self, x):
        def resize(x, like):
            return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)

        low_level, x = self.backbone(x)
        head = self.decode_head
        branches = [resize(head.image_pool(x), x), *(branch(x) for branch in head.aspp_modules)]
        x = head.bottleneck(torch.cat(branches, 1))
        if self.plus:
            low_level = head.c1_bottleneck(low_level)
            x = head.sep_bottleneck(torch.cat([resize(x, low_level), low_level], 1))
        return head.conv_seg(x)


def caffe_vgg(weights, x, *, rates: Sequence[int], version: str = "v2"):
    """DeepLab v1 or v2 on VGG-16, from {Caffe layer name: (kernel, bias)}."""
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
        rate = 2 if stage == 5 else 1
        for index in range(1, count + 1):
            kernel, bias = weights[f"conv{stage}_{index}"]
            x = F.relu(F.conv2d(x, kernel, bias, padding=rate, dilation=rate))
        x = F.max_pool2d(x, 3, 2 if stage < 4 else 1, 1, ceil_mode=True)
    if version == "v1":
        x = F.avg_pool2d(x, 3, 1, 1)
    scores = 0
    for number, rate in enumerate(rates, start=1):
        suffix = f"_{number}" if len(rates) > 1 else ""
        y = F.relu(F.conv2d(x, *weights[f"fc6{suffix}"], padding=rate, dilation=rate))
        y = F.relu(F.conv2d(y, *weights[f"fc7{suffix}"]))
        scores = scores + F.conv2d(y, *weights[f"fc8_voc12{suffix}"])
    return scores
