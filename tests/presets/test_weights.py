import re
import subprocess
import sys

import pytest

from keras_deeplab.presets.backbones import BACKBONES
from keras_deeplab.presets.datasets import DATASETS
from keras_deeplab.presets.networks import DEEPLABS
from keras_deeplab.presets.weights import WEIGHTS


@pytest.mark.parametrize("name", DEEPLABS)
def test_networks_stand_on_known_backbones(name: str):
    row = DEEPLABS[name]
    variant = f"_{row.variant}" if row.variant else ""
    assert row.name == name == f"deeplab_{row.version}_{row.backbone}{variant}"
    assert row.backbone in BACKBONES
    assert row.output_stride in row.output_strides


@pytest.mark.parametrize("name", WEIGHTS)
def test_rows_are_complete(name: str):
    row = WEIGHTS[name]
    assert row.name == name
    assert name.startswith(f"{row.network}.")
    assert row.network in DEEPLABS
    assert row.dataset in DATASETS
    assert row.sha256 is None or re.fullmatch("[0-9a-f]{64}|[0-9a-f]{8}", row.sha256)
    assert row.num_bytes is None or row.num_bytes > 0
    assert row.url is None or row.file.endswith(row.url.rpartition("/")[2])
    assert row.trained_on_val == ("trainval" in row.trained_on)
    assert row.output_stride in DEEPLABS[row.network].output_strides
    assert all(0 < metric.mean_iou < 1 and metric.source for metric in row.metrics)


def test_file_names_are_distinct():
    places = [(row.file, row.member) for row in WEIGHTS.values()]
    assert len(set(places)) == len(places)
    assert len({row.file for row in WEIGHTS.values()}) == len({r.url for r in WEIGHTS.values()})


def test_each_dataset_recommends_one_row():
    for dataset in {row.dataset for row in WEIGHTS.values()}:
        rows = [row for row in WEIGHTS.values() if row.dataset == dataset]
        assert sum(row.recommended for row in rows) == 1


def test_tables_import_no_framework():
    code = (
        "import sys, keras_deeplab.presets.weights, keras_deeplab.presets.datasets,"
        "keras_deeplab.presets.networks\n"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'numpy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
