"""Fully connected CRF in NumPy, O(N^2) in the number of pixels: exact Gaussians, no lattice."""

import numpy as np


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gaussian_kernel(features):
    """Kernel matrix (N, N) of points (N, d) in standard deviations, symmetrically normalised."""
    features = np.asarray(features, np.float64)
    distance = np.square(features[:, None] - features[None]).sum(-1)
    kernel = np.exp(-0.5 * distance)
    norm = 1 / np.sqrt(kernel.sum(1))
    return kernel * norm[:, None] * norm[None]


def pixel_features(image, position, colour=None):
    height, width, _ = image.shape
    y, x = np.mgrid[:height, :width]
    grid = np.stack([x, y], -1) / position
    parts = [grid] if colour is None else [grid, image / colour]
    return np.concatenate(parts, -1).reshape(height * width, -1)


def _weigh(values, weight):
    weight = np.asarray(weight, np.float64)
    return values @ weight.T if weight.ndim == 2 else values * weight


def mean_field(
    unary,
    image,
    *,
    theta_alpha,
    theta_beta,
    theta_gamma,
    bilateral_weight,
    spatial_weight,
    compatibility=1.0,
    num_iterations=10,
):
    """Marginals (H, W, C) of one image, in float64."""
    unary = np.asarray(unary, np.float64)
    flat = unary.reshape(-1, unary.shape[-1])
    image = np.asarray(image, np.float64)
    bilateral = gaussian_kernel(pixel_features(image, theta_alpha, theta_beta))
    spatial = gaussian_kernel(pixel_features(image, theta_gamma))
    compatibility = np.asarray(compatibility, np.float64)
    mu = compatibility if compatibility.ndim == 2 else -compatibility * np.eye(flat.shape[1])
    q = softmax(-flat)
    for _ in range(num_iterations):
        message = _weigh(bilateral @ q, bilateral_weight) + _weigh(spatial @ q, spatial_weight)
        q = softmax(-flat - message @ mu.T)
    return q.reshape(unary.shape)
