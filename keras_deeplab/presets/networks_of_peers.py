"""DeepLab networks as other libraries build them, for their checkpoints."""

from __future__ import annotations

from keras_deeplab.presets.network_row import DeepLabRow

_SMP = "segmentation_models_pytorch"
_VAINF = "VainF/DeepLabV3Plus-Pytorch"
_JFZHANG = "jfzhang95/pytorch-deeplab-xception"

# smp sets the rate of a whole stage, and keeps the rates of its ASPP at every output stride.
ROWS = (
    *(
        DeepLabRow(
            name=f"deeplab_v3_{backbone}_smp",
            version="v3",
            backbone=backbone,
            variant="smp",
            output_stride=8,
            output_strides=(8,),
            dilates_first=True,
            atrous_rates=(12, 24, 36),
            rates_output_stride=8,
            refine=True,
            dropout=0.5,
            reads=_SMP,
            source=f"arXiv:1706.05587; {_SMP}",
        )
        for backbone in ("resnet50", "resnet101")
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v3_plus_{backbone}_smp",
            version="v3_plus",
            backbone=backbone,
            variant="smp",
            output_stride=16,
            output_strides=(16,),
            dilates_first=True,
            atrous_rates=(12, 24, 36),
            refine=True,
            dropout=0.5,
            low_level="stage_1",
            decoder_convolutions=1,
            separable=True,
            separable_norm=False,
            reads=_SMP,
            source=f"arXiv:1802.02611; {_SMP}",
        )
        for backbone in ("resnet50", "resnet101")
    ),
    *(
        DeepLabRow(
            name=f"deeplab_v3_plus_{backbone}_vainf",
            version="v3_plus",
            backbone=backbone,
            variant="vainf",
            low_level="stage_1",
            decoder_convolutions=1,
            reads=_VAINF,
            source=f"arXiv:1802.02611; {_VAINF}",
        )
        for backbone in ("resnet50", "resnet101")
    ),
    DeepLabRow(
        name="deeplab_v3_plus_resnet101_jfzhang",
        version="v3_plus",
        backbone="resnet101",
        variant="jfzhang",
        output_strides=(8, 16),
        multi_grid=(1, 2, 4),
        dilates_first=True,
        low_level="stage_1",
        dropout=0.5,
        reads=_JFZHANG,
        source=f"arXiv:1802.02611; {_JFZHANG}",
    ),
)
