"""Losses in NumPy, pixel by pixel, from their papers; float64."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def cross_entropy(labels, logits, *, ignore_class=255, class_weights=None, top_k=1.0, gamma=0.0):
    values = []
    for label, p in zip(labels.ravel(), softmax(logits).reshape(-1, logits.shape[-1]), strict=True):
        weight = 1.0 if class_weights is None else 0.0
        if label == ignore_class or not 0 <= label < len(p):
            continue
        if class_weights is not None:
            weight = class_weights[label]
            if weight == 0:
                continue
        values.append(-weight * (1 - p[label]) ** gamma * np.log(p[label]))
    if not values:
        return 0.0
    kept = sorted(values, reverse=True)[: int(np.ceil(np.float32(top_k) * np.float32(len(values))))]
    return float(np.mean(kept))


def regions(labels, logits, class_loss, *, ignore_class=255, classes="present"):
    """A mean over classes of a loss of (true pixels, probabilities) without ignored pixels."""
    valid = labels.ravel() != ignore_class
    truth = labels.ravel()[valid]
    p = softmax(logits).reshape(-1, logits.shape[-1])[valid]
    losses = [
        class_loss((truth == c).astype(float), p[:, c])
        for c in range(p.shape[1])
        if valid.any() and (classes == "all" or (truth == c).any())
    ]
    return float(np.mean(losses)) if losses else 0.0


def dice(truth, p, smooth=1.0):
    return 1 - (2 * (truth * p).sum() + smooth) / (truth.sum() + p.sum() + smooth)


def lovasz(truth, p):
    """Sum of errors times the growth of the Jaccard loss of the set of the worst pixels."""

    def jaccard_loss(wrong: set[int]) -> float:
        true = set(np.flatnonzero(truth))
        predicted = true ^ wrong
        return 1 - len(true & predicted) / len(true | predicted) if true | predicted else 0.0

    errors = np.abs(truth - p)
    loss, wrong = 0.0, set()
    for pixel in np.argsort(-errors):
        before = jaccard_loss(wrong)
        wrong.add(int(pixel))
        loss += errors[pixel] * (jaccard_loss(wrong) - before)
    return loss
