"""Names of TF-Slim's DeepLab scopes in this package's networks."""

from __future__ import annotations

import re

_HEAD = {
    "image_pooling": "aspp_image_pooling",
    "concat_projection": "aspp_projection",
    "logits/semantic": "classifier",
}


def layer_name(scope: str) -> str:
    """Returns the layer that holds the convolution of a TF-Slim variable scope.

    Raises:
        ValueError: If the scope belongs to no network that is known here.

    Example:

    >>> layer_name("MobilenetV2/expanded_conv_13/depthwise")
    'block_13_depthwise'
    """
    if scope in _HEAD:
        return _HEAD[scope]
    if scope == "MobilenetV2/Conv":
        return "stem"
    if match := re.fullmatch(r"aspp(\d)", scope):
        return f"aspp_{match[1]}"
    block = re.fullmatch(r"MobilenetV2/expanded_conv(?:_(\d+))?/(expand|depthwise|project)", scope)
    if block:
        return f"block_{block[1] or 0}_{block[2]}"
    raise ValueError(
        f"The scope must belong to a DeepLab network with a MobileNetV2 backbone. "
        f"Received: scope={scope!r}."
    )
