"""Peers in PyTorch: how to import them, and random weights that tell layers apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def import_torch() -> Any:
    """Imports torch, and makes torchvision importable where its compiled operators are missing."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for name, arguments in (
        ("nms", "(Tensor d, Tensor s, float t)"),
        ("qnms", "(Tensor d, Tensor s, float t)"),
    ):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", f"{arguments} -> Tensor")
    return torch


def randomize(torch: Any, network: Any) -> Any:
    """Gives random weights, and batch norm statistics that differ from the identity."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            torch.nn.init.normal_(module.running_mean, 0, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network.eval()


def run(torch: Any, network: Any, image: Any) -> Any:
    """Runs a network on a channels-last NumPy image and returns channels last."""
    with torch.no_grad():
        y = network(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()))
    return y.permute(0, 2, 3, 1).numpy()


def tensors(build: Callable[[], Any]) -> dict[str, np.ndarray]:
    """The names and shapes of a network's tensors, without memory."""
    torch = import_torch()
    with torch.device("meta"):
        state = build().state_dict()
    return {name: np.broadcast_to(np.float32(0), tuple(t.shape)) for name, t in state.items()}
