"""Weights published as PyTorch and Caffe files."""

from __future__ import annotations

from keras_deeplab.presets.weights_row import Metric, WeightsRow, weights_row

# File, dataset, data, training data, split measured, mean IoU without and with the CRF.
_KAZUTO = """
vocaug-20000 | voc | trainaug | VOC 2012 trainaug (COCO pre-trained) | VOC 2012 val | 0.7665 | 0.7793
cocostuff10k-20000 | coco_stuff | 10k | COCO-Stuff 10k train | COCO-Stuff 10k test | 0.348 | 0.356
cocostuff164k-100000 | coco_stuff | 164k | COCO-Stuff 164k train | COCO-Stuff 164k val | 0.391 | 0.397
"""  # noqa: E501
# Network, split, and mean IoU by protocol and source.
_CAFFE = """
deeplab_v2_resnet101_caffe_aspp | trainaug | 0.7635 | VOC 2012 val, three scales | arXiv:1606.00915, table 4
deeplab_v2_resnet101_caffe_aspp | trainval | 0.797 | VOC 2012 test, three scales, CRF | arXiv:1606.00915
deeplab_v2_vgg16_aspp_l | trainaug | 0.6896 | VOC 2012 val, single scale | arXiv:1606.00915, table 3
deeplab_v2_vgg16_aspp_l | trainval | 0.726 | VOC 2012 test, single scale, CRF | arXiv:1606.00915
"""  # noqa: E501
# Version, depth, schedule, stamp, mean IoU at a single scale, with several scales and flips.
_MMSEG = """
deeplabv3 50 512x512_20k_voc12aug 20200617_010906-596905ef 0.7617 0.7742
deeplabv3 101 512x512_20k_voc12aug 20200617_010932-8d13832f 0.7870 0.7995
deeplabv3 50 512x512_40k_voc12aug 20200613_161546-2ae96e7e 0.7768 0.7878
deeplabv3 101 512x512_40k_voc12aug 20200613_161432-0017d784 0.7792 0.7918
deeplabv3plus 50 512x512_20k_voc12aug 20200617_102323-aad58ef1 0.7593 0.7750
deeplabv3plus 101 512x512_20k_voc12aug 20200617_102345-c7ff3d56 0.7722 0.7859
deeplabv3plus 50 512x512_40k_voc12aug 20200613_161759-e1b43aa9 0.7681 0.7757
deeplabv3plus 101 512x512_40k_voc12aug 20200613_205333-faf03387 0.7862 0.7953
deeplabv3 50 512x1024_40k_cityscapes 20200605_022449-acadc2f8 0.7909 0.8045
deeplabv3 101 512x1024_80k_cityscapes 20200606_113503-9e428899 0.8020 0.8121
deeplabv3plus 50 512x1024_80k_cityscapes 20200606_114049-f9fb496d 0.8009 0.8113
deeplabv3plus 101 512x1024_80k_cityscapes 20200606_114143-068fcfe9 0.8097 0.8203
deeplabv3plus 50 512x512_160k_ade20k 20200615_124504-6135c7e0 0.4395 0.4493
deeplabv3plus 101 512x512_160k_ade20k 20200615_123232-38ed86bb 0.4547 0.4635
deeplabv3 101 512x512_160k_ade20k 20200615_105816-b1f72b3b 0.4500 0.4666
deeplabv3plus 101 480x480_40k_pascal_context 20200911_165459-d3c8a29e 0.4730 0.4847
"""
_RECOMMENDED_MMSEG = {
    ("deeplab_v3_plus_resnet101_v1c", "cityscapes"),
    ("deeplab_v3_plus_resnet101_v1c", "ade20k"),
    ("deeplab_v3_plus_resnet101_v1c", "pascal_context"),
}


def _torchvision(depth: int, digits: str, mean_iou: float) -> WeightsRow:
    file = f"deeplabv3_resnet{depth}_coco-{digits}.pth"
    return weights_row(
        "torchvision",
        name=f"deeplab_v3_resnet{depth}.coco_voc",
        network=f"deeplab_v3_resnet{depth}",
        dataset="voc",
        trained_on="the images of COCO 2017 train with VOC's classes",
        file=file,
        url=f"https://download.pytorch.org/models/{file}",
        sha256=digits,
        output_stride=8,
        metrics=(Metric(mean_iou, "COCO 2017 val, VOC's classes, single scale", "torchvision"),),
        licence="BSD-3-Clause",
        source="torchvision",
    )


def _kazuto(
    file: str, dataset: str, data: str, trained_on: str, split: str, *scores: str
) -> WeightsRow:
    file = f"deeplabv2_resnet101_msc-{file}.pth"
    return weights_row(
        "kazuto",
        name=f"deeplab_v2_resnet101_caffe_aspp.{dataset}_{data}",
        network="deeplab_v2_resnet101_caffe_aspp",
        dataset=dataset,
        trained_on=trained_on,
        file=file,
        url=f"https://github.com/kazuto1011/deeplab-pytorch/releases/download/v1.0/{file}",
        output_stride=8,
        multi_scale_inputs=(0.5, 0.75, 1.0),
        multi_scale_grid="size",
        metrics=(
            Metric(float(scores[0]), f"{split}, three scales", "kazuto1011/deeplab-pytorch"),
            Metric(float(scores[1]), f"{split}, three scales, CRF", "kazuto1011/deeplab-pytorch"),
        ),
        recommended=data == "164k",
        licence="MIT",
        source="kazuto1011/deeplab-pytorch",
    )


def _mmseg(version: str, depth: str, schedule: str, stamp: str, *scores: str) -> WeightsRow:
    crop, iterations, data = schedule.split("_", 2)
    dataset, trained_on, split = {
        "voc12aug": ("voc", "VOC 2012 trainaug", "VOC 2012 val"),
        "cityscapes": ("cityscapes", "Cityscapes train, fine", "Cityscapes val"),
        "ade20k": ("ade20k", "ADE20K train", "ADE20K val"),
        "pascal_context": ("pascal_context", "PASCAL-Context train", "PASCAL-Context val"),
    }[data]
    network = {"deeplabv3": "deeplab_v3", "deeplabv3plus": "deeplab_v3_plus"}[version]
    network += f"_resnet{depth}_v1c"
    folder = f"{version}_r{depth}-d8_{schedule}"
    file = f"{folder}_{stamp}.pth"
    return weights_row(
        "mmseg",
        name=f"{network}.{data}_{iterations}",
        network=network,
        dataset=dataset,
        trained_on=f"{trained_on}, {iterations} iterations, crop {crop}",
        file=file,
        url=f"https://download.openmmlab.com/mmsegmentation/v0.5/{version}/{folder}/{file}",
        sha256=stamp.rpartition("-")[2],
        output_stride=8,
        metrics=(
            Metric(float(scores[0]), f"{split}, single scale", "mmsegmentation"),
            Metric(float(scores[1]), f"{split}, scales and flips", "mmsegmentation"),
        ),
        recommended=(network, data) in _RECOMMENDED_MMSEG,
        licence="Apache-2.0",
        source="open-mmlab/mmsegmentation",
    )


def _caffe(network: str, split: str, mean_iou: str, protocol: str, source: str) -> WeightsRow:
    folder = "deeplab_aspp_resnet101" if "resnet" in network else "deeplab_aspp_vgg16"
    return weights_row(
        "caffe",
        name=f"{network}.voc_{split}_caffe",
        network=network,
        dataset="voc",
        trained_on=f"VOC 2012 {split}",
        file=f"{folder}_prototxt_and_model.zip",
        member=f"train{'2' if split == 'trainval' else ''}_iter_20000.caffemodel",
        url=f"http://liangchiehchen.com/projects/released/{folder}/prototxt_and_model.zip",
        output_stride=8,
        multi_scale_inputs=(0.5, 0.75, 1.0) if "resnet" in network else (),
        trained_on_val=split == "trainval",
        # The papers' networks; the files themselves were not measured.
        metrics=(Metric(float(mean_iou), protocol, source),),
        licence="NOASSERTION",
        source="the authors of arXiv:1606.00915",
    )


ROWS = (
    _torchvision(50, "cd0a2569", 0.664),
    _torchvision(101, "586e9e4e", 0.674),
    *(_kazuto(*columns.split(" | ")) for columns in _KAZUTO.strip().splitlines()),
    *(_caffe(*columns.split(" | ")) for columns in _CAFFE.strip().splitlines()),
    *(_mmseg(*columns.split()) for columns in _MMSEG.strip().splitlines()),
)
