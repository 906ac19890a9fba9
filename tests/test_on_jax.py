"""The rooms that train run on Keras' JAX backend: their tests, once more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOMS = ["losses", "test_metrics.py", "test_optimizers.py", "test_schedules.py"]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the JAX run")
def test_losses_metrics_and_optimizers_on_jax():
    pytest.importorskip("jax")
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *(str(folder / room) for room in ROOMS)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
