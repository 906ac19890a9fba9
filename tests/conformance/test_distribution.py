"""One run on several devices, or in several processes, is the run on one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from keras_deeplab.training.callbacks import read_log
from tests.reference.on_jax import ON_JAX
from tests.training.test_run import write_squares

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
# Without padded crops: the loss is a mean over the labelled pixels of each device's share.
RUN = """
from keras_deeplab.data import read_folder
from keras_deeplab.training import train
from tests.training.test_run import SMALL, network

data = read_folder('data')
with scope:
    model = network(dropout=0)
train(model, data, folder, validation_data=data, epochs=2, scales=None, **SMALL)
"""
MIRRORED = """
import contextlib, sys
import tensorflow as tf
folder, devices = sys.argv[1], int(sys.argv[2])
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
names = [f'CPU:{n}' for n in range(devices)]
scope = tf.distribute.MirroredStrategy(names).scope() if devices > 1 else contextlib.nullcontext()
"""
PROCESSES = """
import contextlib, sys
import keras
folder, count, number, address = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if count > 1:
    keras.distribution.initialize(address, num_processes=count, process_id=number)
    keras.distribution.set_distribution(keras.distribution.DataParallel())
scope = contextlib.nullcontext()
"""


def start(code: str, cwd: Path, *arguments: object, **variables: str) -> subprocess.Popen:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code + RUN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes: subprocess.Popen) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors[-3000:]


def assert_same_runs(one: Path, other: Path) -> None:
    rows, others = read_log(one / "log.csv"), read_log(other / "log.csv")
    assert len(rows) == len(others) == 2
    for row, another in zip(rows, others, strict=True):
        assert row == pytest.approx(another, rel=1e-3)


def test_two_devices_of_one_host(tmp_path: Path):
    write_squares(tmp_path / "data")
    finish(start(MIRRORED, tmp_path, "one", 1))
    finish(start(MIRRORED, tmp_path, "two", 2))
    assert_same_runs(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two" / "last.keras").is_file()


def test_two_processes_on_jax(tmp_path: Path):
    pytest.importorskip("jax")
    write_squares(tmp_path / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    finish(start(PROCESSES, tmp_path, "one", 1, 0, "", **ON_JAX))
    finish(*(start(PROCESSES, tmp_path, "two", 2, n, address, **ON_JAX) for n in range(2)))
    assert_same_runs(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two" / "last.keras").is_file()
