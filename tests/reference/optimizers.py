"""Optimizers in NumPy, for one variable; float64."""

from __future__ import annotations

import numpy as np


def sgd(w, gradients, rates, *, multiplier=1.0, decay=0.0, momentum=0.0, nesterov=False):
    """As Caffe's: the decay is part of the gradient, the rate part of the velocity."""
    velocity = np.zeros_like(w)
    for gradient, rate in zip(gradients, rates, strict=True):
        step = rate * multiplier * (gradient + decay * w)
        velocity = momentum * velocity + step
        w = w - (momentum * velocity + step if nesterov else velocity)
    return w


def adamw(w, gradients, rates, *, multiplier=1.0, decay=0.0, betas=(0.9, 0.999), epsilon=1e-7):
    """Loshchilov and Hutter, algorithm 2, with Keras' place of epsilon."""
    m = v = np.zeros_like(w)
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = betas[0] * m + (1 - betas[0]) * gradient
        v = betas[1] * v + (1 - betas[1]) * gradient**2
        correction = np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
        w = w - rate * multiplier * decay * w
        w = w - rate * multiplier * correction * m / (np.sqrt(v) + epsilon)
    return w
