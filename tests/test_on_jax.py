"""The modules that train run on Keras' JAX backend: some of their tests, once more.

All of them pass there, `KERAS_BACKEND=jax pytest tests/losses tests/test_metrics.py ...`, but JAX
compiles every operation of every shape, which takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests.reference.on_jax import ON_JAX

TESTS = [
    "losses/test_pixelwise.py::test_labels_are_sub_sampled_to_the_logits",
    "losses/test_weighted_sum.py::test_gradients_equal_finite_differences_of_the_reference[focal]",
    "losses/test_weighted_sum.py::test_gradients_equal_finite_differences_of_the_reference[lovasz]",
    "test_metrics.py::test_counts_stay_exact_beyond_32_bits",
    "test_optimizers.py::test_moving_average_of_the_weights_over_two_fits",
]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the JAX run")
def test_losses_metrics_and_optimizers_on_jax():
    pytest.importorskip("jax")
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *(str(folder / test) for test in TESTS)],
        env={**os.environ, **ON_JAX},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
