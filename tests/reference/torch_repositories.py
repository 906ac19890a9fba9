"""DeepLab networks with the module names of repositories that are no packages.

As tests/reference/torch_networks.py, they follow the behaviour of the repositories, in code of
their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from tests.reference.torch_networks import KazutoDeepLabV2, MMSegBottleneck, unit


def resize(x, like, *, align_corners: bool = False):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=align_corners)


class ResNet(nn.Module):
    """torchvision's names and channels; strides and rates of every block as they are given."""

    def __init__(self, strides: Sequence[int], rates: Sequence[Sequence[int]]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        in_channels = 64
        for index, (stride, of_blocks) in enumerate(zip(strides, rates, strict=True)):
            channels = 64 * 2**index
            stage = []
            for block, rate in enumerate(of_blocks):
                first = block == 0
                stage.append(
                    MMSegBottleneck(
                        in_channels,
                        channels,
                        stride=stride if first else 1,
                        rate=rate,
                        project=first,
                    )
                )
                in_channels = 4 * channels
            setattr(self, f"layer{index + 1}", nn.Sequential(*stage))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        low_level = x = self.layer1(x)
        return low_level, self.layer4(self.layer3(self.layer2(x)))


def layers(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules)


class VainFASPP(nn.Module):
    def __init__(self, rates: Sequence[int]):
        super().__init__()
        names = ("0", "1", "2")
        self.convs = nn.ModuleList([unit(2048, 256, 1, names=names)])
        self.convs.extend(unit(2048, 256, 3, rate=rate, names=names) for rate in rates)
        self.convs.append(layers(nn.AdaptiveAvgPool2d(1), *unit(2048, 256, 1)))
        self.project = unit(1280, 256, 1, names=names)

    def forward(self, x):
        *branches, pooled = (convolution(x) for convolution in self.convs)
        return self.project(torch.cat([*branches, resize(pooled, x)], 1))


class VainFDeepLab(nn.Module):
    """VainF/DeepLabV3Plus-Pytorch: v3 at output stride 8, v3+ at 16."""

    def __init__(self, *, plus: bool, classes: int):
        super().__init__()
        blocks = ((1,), (1,), (1, 1), (1, 2)) if plus else ((1,), (1,), (1, 2), (2, 4))
        self.backbone = ResNet((1, 2, 2, 1) if plus else (1, 2, 1, 1), blocks)
        self.plus = plus
        self.classifier = nn.Module()
        head = (nn.Conv2d(256, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU())
        if plus:
            self.classifier.project = unit(256, 48, 1, names=("0", "1", "2"))
            self.classifier.aspp = VainFASPP((6, 12, 18))
            head = (nn.Conv2d(304, 256, 3, padding=1, bias=False), *head[1:])
        else:
            head = (VainFASPP((12, 24, 36)), *head)
        self.classifier.classifier = layers(*head, nn.Conv2d(256, classes, 1))

    def forward(self, x):
        low_level, x = self.backbone(x)
        head = self.classifier
        if self.plus:
            low_level = head.project(low_level)
            x = torch.cat([low_level, resize(head.aspp(x), low_level)], 1)
        return head.classifier(x)


class JfzhangDeepLab(nn.Module):
    """jfzhang95/pytorch-deeplab-xception on ResNet: the last stage has rates 2, 4 and 8."""

    def __init__(self, *, classes: int):
        super().__init__()
        self.backbone = ResNet((1, 2, 2, 1), ((1,), (1,), (1, 1), (2, 4, 8)))
        self.aspp = nn.Module()
        for index, rate in enumerate((1, 6, 12, 18), start=1):
            branch = unit(2048, 256, 3 if index > 1 else 1, rate=rate, names=("atrous_conv", "bn"))
            setattr(self.aspp, f"aspp{index}", branch)
        self.aspp.global_avg_pool = layers(nn.AdaptiveAvgPool2d(1), *unit(2048, 256, 1))
        self.aspp.conv1 = nn.Conv2d(1280, 256, 1, bias=False)
        self.aspp.bn1 = nn.BatchNorm2d(256)
        self.decoder = nn.Module()
        self.decoder.conv1 = nn.Conv2d(256, 48, 1, bias=False)
        self.decoder.bn1 = nn.BatchNorm2d(48)
        first, second = unit(304, 256, 3), unit(256, 256, 3)
        drop = nn.Dropout(0.5)
        self.decoder.last_conv = layers(*first, drop, *second, drop, nn.Conv2d(256, classes, 1))

    def forward(self, x):
        low_level, x = self.backbone(x)
        aspp, decoder = self.aspp, self.decoder
        branches = [F.relu(getattr(aspp, f"aspp{index}")(x)) for index in (1, 2, 3, 4)]
        pooled = resize(aspp.global_avg_pool(x), x, align_corners=True)
        x = F.relu(aspp.bn1(aspp.conv1(torch.cat([*branches, pooled], 1))))
        low_level = F.relu(decoder.bn1(decoder.conv1(low_level)))
        x = torch.cat([resize(x, low_level, align_corners=True), low_level], 1)
        return decoder.last_conv(x)


class KazutoDeepLabV3(KazutoDeepLabV2):
    """kazuto1011/deeplab-pytorch, v3 at output stride 16 with multi-grid 1, 2, 4."""

    def __init__(self, blocks: Sequence[int], classes: int):
        super().__init__(blocks, classes)
        for index, rate in ((4, 1), (5, 2)):
            for number, block in enumerate(getattr(self, f"layer{index}")):
                unit_rate = rate * (1, 2, 4)[number] if index == 5 else rate
                convolution = block.conv3x3.conv
                convolution.padding = convolution.dilation = (unit_rate, unit_rate)
        first = self.layer4.block1
        first.reduce.conv.stride = first.shortcut.conv.stride = (2, 2)
        self.aspp = nn.Module()
        self.aspp.stages = nn.Module()
        for index, rate in enumerate((1, 6, 12, 18)):
            size = 3 if index else 1
            self.aspp.stages.add_module(f"c{index}", unit(2048, 256, size, rate=rate))
        self.aspp.stages.imagepool = nn.Module()
        self.aspp.stages.imagepool.conv = unit(2048, 256, 1)
        self.fc1 = unit(1280, 256, 1)
        self.fc2 = nn.Conv2d(256, classes, 1)

    def forward(self, x):
        for index in range(1, 6):
            x = getattr(self, f"layer{index}")(x)
        *branches, pool = self.aspp.stages.children()
        pooled = resize(pool.conv(F.adaptive_avg_pool2d(x, 1)), x)
        return self.fc2(self.fc1(torch.cat([*(branch(x) for branch in branches), pooled], 1)))
