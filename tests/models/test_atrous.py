import numpy as np
import pytest

from keras_deeplab.models.atrous import output_stride_plan

# Stem and 17 blocks of MobileNetV2.
STRIDES = [2, 1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]


def test_plan_of_the_published_network():
    plan = output_stride_plan(STRIDES, 16)
    assert [step.stride for step in plan] == STRIDES[:14] + [1] * 4
    # Block 13 lost its stride and keeps rate 1; blocks 14 to 16 dilate by 2.
    assert [step.rate for step in plan] == [1] * 15 + [2] * 3


def test_plan_at_output_stride_8_dilates_twice():
    plan = output_stride_plan(STRIDES, 8)
    assert [step.rate for step in plan] == [1] * 8 + [2] * 7 + [4] * 3
    assert np.prod([step.stride for step in plan]) == 8


def test_plan_without_removed_strides_is_the_network_itself():
    assert output_stride_plan(STRIDES, 32) == [(stride, 1) for stride in STRIDES]


@pytest.mark.parametrize("output_stride", [0, 3, 12, 64])
def test_plan_refuses_unreachable_strides(output_stride: int):
    with pytest.raises(ValueError, match=r"one of 1, 2, 4, 8, 16, 32. Received: output_stride"):
        output_stride_plan(STRIDES, output_stride)
