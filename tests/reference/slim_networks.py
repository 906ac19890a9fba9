"""TF-Slim's DeepLab in plain TensorFlow operations, with its variable names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf


class SlimNetwork:
    """Makes a random variable for every name it meets, and remembers it."""

    def __init__(self, rng: np.random.Generator, epsilon: float = 1e-3) -> None:
        self.rng = rng
        self.epsilon = epsilon
        self.explicit_padding = True
        self.variables: dict[str, np.ndarray] = {}

    def variable(self, name: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
        if name not in self.variables:
            self.variables[name] = self.rng.uniform(low, high, shape).astype("float32")
        return self.variables[name]

    def kernel(self, name: str, shape: tuple[int, ...], fan: int) -> np.ndarray:
        return self.variable(name, shape, -((6 / fan) ** 0.5), (6 / fan) ** 0.5)

    def norm(self, x, scope: str, epsilon: float | None):
        c = (x.shape[-1],)
        scope = f"{scope}/BatchNorm"
        gamma = self.variable(f"{scope}/gamma", c, 0.5, 1.5)
        beta = self.variable(f"{scope}/beta", c, -0.5, 0.5)
        mean = self.variable(f"{scope}/moving_mean", c, -0.5, 0.5)
        variance = self.variable(f"{scope}/moving_variance", c, 0.5, 1.5)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon or self.epsilon)

    def strided(self, x, size: int, stride: int):
        """TensorFlow's Xception pads symmetrically before a stride, its MobileNetV2 not at all."""
        if stride == 1 or not self.explicit_padding:
            return x, "SAME"
        border = [size // 2, size // 2]
        return tf.pad(x, [[0, 0], border, border, [0, 0]]), "VALID"

    def conv(self, x, channels, size, scope, *, stride=1, rate=1, act=tf.nn.relu, epsilon=None):
        shape = (size, size, x.shape[-1], channels)
        kernel = self.kernel(f"{scope}/weights", shape, size * size * x.shape[-1])
        if size == 1:
            x = x[:, ::stride, ::stride]
            stride = 1
        x, padding = self.strided(x, size, stride)
        x = tf.nn.conv2d(x, kernel, stride, padding, dilations=rate)
        return act(self.norm(x, scope, epsilon))

    def depthwise(self, x, scope, *, stride=1, rate=1, act=tf.nn.relu, epsilon=None):
        kernel = self.kernel(f"{scope}/depthwise_weights", (3, 3, x.shape[-1], 1), 9)
        x, padding = self.strided(x, 3, stride)
        x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], padding, dilations=[rate] * 2)
        return act(self.norm(x, scope, epsilon))

    def separable(self, x, channels, scope, **options):
        act, epsilon = options.get("act", tf.nn.relu), options.get("epsilon")
        x = self.depthwise(x, f"{scope}_depthwise", **options)
        return self.conv(x, channels, 1, f"{scope}_pointwise", act=act, epsilon=epsilon)

    def mobilenet_v2(self, x):
        """At output stride 16: the last stage but one lost its stride."""
        scope, relu6 = "MobilenetV2", tf.nn.relu6
        self.explicit_padding = False
        x = self.conv(x, 32, 3, f"{scope}/Conv", stride=2, act=relu6)
        settings = [(1, 16, 1, 1, 1), (6, 24, 2, 2, 1), (6, 32, 3, 2, 1), (6, 64, 4, 2, 1)]
        settings += [(6, 96, 3, 1, 1), (6, 160, 3, 1, 2), (6, 320, 1, 1, 2)]
        index = 0
        for expansion, channels, repeats, stride, rate in settings:
            for repeat in range(repeats):
                name = f"{scope}/expanded_conv" + (f"_{index}" if index else "")
                # The first block whose stride was removed keeps rate 1.
                own_rate = 1 if (channels, repeat) == (160, 0) else rate
                y = x
                if expansion > 1:
                    y = self.conv(y, expansion * x.shape[-1], 1, f"{name}/expand", act=relu6)
                step = stride if repeat == 0 else 1
                y = self.depthwise(y, f"{name}/depthwise", stride=step, rate=own_rate, act=relu6)
                y = self.conv(y, channels, 1, f"{name}/project", act=tf.identity)
                x = x + y if x.shape == y.shape else y
                index += 1
        return x

    def xception(self, x, scope: str, width: int, units: int, multi_grid=(1, 1, 1)):
        """At output stride 16; returns the features and the decoder's."""
        x = self.conv(x, 32 // width, 3, f"{scope}/entry_flow/conv1_1", stride=2)
        x = self.conv(x, 64 // width, 3, f"{scope}/entry_flow/conv1_2")
        w, low_level = width, None
        for index, channels in enumerate((128, 256, 728), start=1):
            name = f"{scope}/entry_flow/block{index}/unit_1"
            x, second = self.unit(x, [channels // w] * 3, name, stride=2, skip="conv")
            low_level = second if index == 2 else low_level
        for index in range(1, units + 1):
            name = f"{scope}/middle_flow/block1/unit_{index}"
            x, _ = self.unit(x, [728 // w] * 3, name, skip="sum")
        channels = [728 // w, 1024 // w, 1024 // w]
        x, _ = self.unit(x, channels, f"{scope}/exit_flow/block1/unit_1", skip="conv")
        channels = [1536 // w, 1536 // w, 2048 // w]
        name = f"{scope}/exit_flow/block2/unit_1"
        rates = [2 * unit for unit in multi_grid]
        x, _ = self.unit(x, channels, name, skip="none", rates=rates, inside=True)
        return x, low_level

    def unit(self, x, channels, scope, *, stride=1, skip, rates=(1, 1, 1), inside=False):
        scope, y, outputs = f"{scope}/xception_module", x, []
        for index in range(3):
            y = self.separable(
                y if inside else tf.nn.relu(y),
                channels[index],
                f"{scope}/separable_conv{index + 1}",
                stride=stride if index == 2 else 1,
                rate=rates[index],
                act=tf.nn.relu if inside else tf.identity,
            )
            outputs.append(y)
        if skip == "conv":
            y = y + self.conv(
                x, channels[-1], 1, f"{scope}/shortcut", stride=stride, act=tf.identity
            )
        return (x + y if skip == "sum" else y), outputs[1]

    def aspp(self, x, rates=()):
        head = dict(epsilon=1e-5)
        pooled = tf.reduce_mean(x, [1, 2], keepdims=True)
        pooled = self.conv(pooled, 256, 1, "image_pooling", **head)
        branches = [tf.tile(pooled, [1, x.shape[1], x.shape[2], 1])]
        branches.append(self.conv(x, 256, 1, "aspp0", **head))
        for index, rate in enumerate(rates, start=1):
            branches.append(self.separable(x, 256, f"aspp{index}", rate=rate, **head))
        return self.conv(tf.concat(branches, 3), 256, 1, "concat_projection", **head)

    def decoder(self, x, low_level):
        head = dict(epsilon=1e-5)
        low_level = self.conv(low_level, 48, 1, "decoder/feature_projection0", **head)
        x = tf.compat.v1.image.resize_bilinear(x, low_level.shape[1:3], align_corners=True)
        x = tf.concat([x, low_level], 3)
        for index in range(2):
            x = self.separable(x, 256, f"decoder/decoder_conv{index}", **head)
        return x

    def logits(self, x, classes: int):
        kernel = self.kernel("logits/semantic/weights", (1, 1, x.shape[-1], classes), x.shape[-1])
        return tf.nn.conv2d(x, kernel, 1, "SAME") + self.variable(
            "logits/semantic/biases", (classes,), -1, 1
        )

    def write(self, prefix: Path, **others: np.ndarray) -> None:
        """Writes a checkpoint as `tf.train.Saver` does, with what training leaves behind."""
        trained = dict(self.variables)
        for name, array in self.variables.items():
            if "moving_" not in name:
                trained[f"{name}/Momentum"] = np.zeros_like(array)
                trained[f"{name}/ExponentialMovingAverage"] = np.ones_like(array)
        trained["global_step"] = np.int64(30000)
        trained.update(others)
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(trained),
            shape_and_slices=[""] * len(trained),
            tensors=list(trained.values()),
        )
