"""DeepLab v3 on MobileNetV2 in JAX, from the weights of a package file to scores.

The package's own network has the same weights and answers (`tests/test_train_bundled.py`). This one
is written for XLA on a GPU: 1x1 convolutions are matrix products, 3x3 ones sums of shifted copies,
which XLA fuses, since its grouped convolutions are slow there.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Weights = dict[str, jax.Array]

# Stride and rate of each block, at output stride 16.
BLOCKS = (
    *((1, 1), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1), (2, 1), (1, 1), (1, 1)),
    *((1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 2), (1, 2), (1, 2)),
)
_SIDE = 3


def scores(weights: Weights, images: jax.Array, *, frozen: int = 0) -> jax.Array:
    """Returns scores at every sixteenth pixel.

    Args:
        weights: Kernels and biases by "layer/kernel" and "layer/bias"; batch norm is folded.
        images: RGB 0-255, (batch, height, width, 3); sides are a multiple of 16, plus 1.
        frozen: Gradients stop after this many blocks.

    Returns:
        float32 (batch, (height - 1) / 16 + 1, (width - 1) / 16 + 1, classes).
    """
    x = (images / 127.5 - 1).astype(jnp.bfloat16)
    taps = jnp.concatenate(list(_shifted(x, 2, 1)), -1)
    kernel = weights["stem/kernel"]
    x = _relu6(taps @ kernel.reshape(-1, kernel.shape[-1]).astype(x.dtype), weights["stem/bias"])
    for number, (stride, rate) in enumerate(BLOCKS):
        name, before = f"block_{number}", x
        if f"{name}_expand/kernel" in weights:
            x = _relu6(*_dense(weights, f"{name}_expand", x))
        kernel = weights[f"{name}_depthwise/kernel"].reshape(_SIDE**2, -1)
        copies = _shifted(x, stride, rate)
        total = sum(copy * tap for copy, tap in zip(copies, kernel, strict=True))
        x = _relu6(total, weights[f"{name}_depthwise/bias"])
        x = _sum(*_dense(weights, f"{name}_project", x))
        if before.shape == x.shape:
            x += before
        if number + 1 == frozen:
            x = jax.lax.stop_gradient(x)
    mean = x.astype(jnp.float32).mean((1, 2), keepdims=True).astype(x.dtype)
    pooled = _relu6(*_dense(weights, "aspp_image_pooling", mean), most=None)
    local = _relu6(*_dense(weights, "aspp_0", x), most=None)
    x = jnp.concatenate([jnp.broadcast_to(pooled, local.shape), local], -1)
    x = _relu6(*_dense(weights, "aspp_projection", x), most=None)
    product, bias = _dense(weights, "classifier", x)
    return product.astype(jnp.float32) + bias


def _dense(weights: Weights, name: str, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the product of a 1x1 convolution, and its bias."""
    return x @ weights[f"{name}/kernel"][0, 0].astype(x.dtype), weights[f"{name}/bias"]


def _sum(product: jax.Array, bias: jax.Array) -> jax.Array:
    return (product + bias).astype(jnp.bfloat16)


def _relu6(product: jax.Array, bias: jax.Array, most: float | None = 6) -> jax.Array:
    return jnp.clip(product + bias, 0, most).astype(jnp.bfloat16)


def _shifted(x: jax.Array, stride: int, rate: int) -> list[jax.Array]:
    """Returns what each tap of a 3x3 kernel sees."""
    height, width = ((side - 1) // stride + 1 for side in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
    return [
        x[:, top : top + (height - 1) * stride + 1 : stride][
            :, :, left : left + (width - 1) * stride + 1 : stride
        ]
        for top in range(0, _SIDE * rate, rate)
        for left in range(0, _SIDE * rate, rate)
    ]
