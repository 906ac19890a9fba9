import re
import subprocess
import sys

import pytest

from keras_deeplab.tables.backbones import BACKBONES
from keras_deeplab.tables.datasets import DATASETS
from keras_deeplab.tables.deeplabs import DEEPLABS
from keras_deeplab.tables.weights import WEIGHTS


@pytest.mark.parametrize("name", DEEPLABS)
def test_networks_stand_on_known_backbones(name: str):
    row = DEEPLABS[name]
    assert row.name == name == f"deeplab_{row.version}_{row.backbone}"
    assert row.backbone in BACKBONES
    assert row.output_stride in row.output_strides


@pytest.mark.parametrize("name", WEIGHTS)
def test_rows_are_complete(name: str):
    row = WEIGHTS[name]
    assert row.name == name
    assert name.startswith(f"{row.network}.")
    assert row.network in DEEPLABS
    assert row.dataset in DATASETS
    assert re.fullmatch("[0-9a-f]{64}", row.sha256)
    assert row.num_bytes > 0
    assert row.url is None or row.url.endswith(row.file)
    assert all(0 < metric.mean_iou < 1 and metric.source for metric in row.metrics)


def test_each_dataset_recommends_one_row():
    for dataset in {row.dataset for row in WEIGHTS.values()}:
        rows = [row for row in WEIGHTS.values() if row.dataset == dataset]
        assert sum(row.recommended for row in rows) == 1


def test_tables_import_no_framework():
    code = (
        "import sys, keras_deeplab.tables.weights, keras_deeplab.tables.datasets,"
        "keras_deeplab.tables.deeplabs\n"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'numpy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
