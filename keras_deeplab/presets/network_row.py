"""The preset of a DeepLab network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DeepLabRow:
    """One network of the family.

    Attributes:
        name: Identifier, `deeplab_{version}_{backbone}`, followed by `_{variant}` if any.
        version: "v1", "v2", "v3" or "v3_plus".
        backbone: A name in `BACKBONES`.
        variant: Distinguishes heads on the same backbone; the first row is the default.
        output_stride: Output stride in training, and the default.
        output_strides: Supported output strides.
        atrous_rates: Rates of the head's 3x3 branches, in feature pixels. Empty if the published
            network has none.
        rates_output_stride: The output stride that the rates refer to.
        multi_grid: Unit rates of the backbone's last stage.
        dilates_first: Whether blocks of a ResNet whose stride was removed already dilate. Such a
            network is not consistent across output strides.
        head_channels: Channels of every branch and of the projection; 0 if the branches of v2 are
            classifiers themselves.
        projection_size: Kernel size of ASPP's projection.
        refine: Whether a 3x3 convolution follows ASPP.
        image_pooling: Whether ASPP has image-level features.
        dropout: Rate of the dropout after ASPP.
        low_level: Name of the low-level features for v3+'s decoder.
        low_level_channels: Channels that the low-level features are projected to.
        decoder_channels: Channels of the decoder's convolutions.
        decoder_convolutions: Number of the decoder's 3x3 convolutions.
        separable: Whether the head's 3x3 convolutions are depthwise separable.
        separable_norm: Whether batch norm and activation follow their depthwise part too.
        epsilon: Epsilon of batch norm in the head.
        reads: The library whose checkpoints the network exists for; it is not chosen unless its
            variant is named. Empty: a network of the papers.
        source: Source of the architecture.
    """

    name: str
    version: str
    backbone: str
    variant: str = ""
    output_stride: int = 16
    output_strides: tuple[int, ...] = (8, 16, 32)
    atrous_rates: tuple[int, ...] = (6, 12, 18)
    rates_output_stride: int = 16
    multi_grid: tuple[int, ...] = (1, 1, 1)
    dilates_first: bool = False
    head_channels: int = 256
    projection_size: int = 1
    refine: bool = False
    image_pooling: bool = True
    dropout: float = 0.1
    low_level: str = ""
    low_level_channels: int = 48
    decoder_channels: int = 256
    decoder_convolutions: int = 2
    separable: bool = False
    separable_norm: bool = True
    epsilon: float = 1e-5
    reads: str = ""
    source: str
