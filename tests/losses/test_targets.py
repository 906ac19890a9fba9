import keras
import numpy as np
import pytest
from keras import ops

from keras_deeplab.losses.targets import sampled_positions, targets


@pytest.mark.parametrize(("length", "new_length"), [(321, 41), (513, 65), (320, 40), (512, 64)])
def test_every_eighth_pixel_at_output_stride_8(length: int, new_length: int):
    positions = ops.convert_to_numpy(sampled_positions(length, new_length))
    assert positions.tolist() == list(range(0, length, 8))


@pytest.mark.parametrize(
    ("length", "new_length", "expected"),
    [
        (9, 9, list(range(9))),
        (1, 1, [0]),
        (321, 1, [0]),
        # Three quarters of 321 at output stride 8: the nearest to 0, 10 2/3, 21 1/3, ...
        (321, 31, [int(i * 320 / 30 + 0.5) for i in range(31)]),
        (321, 21, list(range(0, 321, 16))),
        (360, 45, list(range(0, 360, 8))),
        # Output strides 8 and 16, whose last cell is cut.
        (12, 2, [0, 8]),
        (20, 2, [0, 16]),
    ],
)
def test_positions_by_hand(length: int, new_length: int, expected: list[int]):
    assert ops.convert_to_numpy(sampled_positions(length, new_length)).tolist() == expected


def test_labels_are_read_at_the_logits_places():
    labels = np.arange(17)[:, None] + np.zeros(9, int)
    logits = np.zeros((1, 3, 2, 20), "float32")
    read, counts = targets(ops.convert_to_tensor(labels[None]), logits, ignore_class=8)
    assert ops.convert_to_numpy(read)[0].tolist() == [[0, 0], [0, 0], [16, 16]]
    assert ops.convert_to_numpy(counts)[0, :, 0].tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float32"])
def test_one_hot_labels_are_class_ids(dtype: str):
    ids = np.array([[[0, 2], [1, 255]]])
    one_hot = (ids[..., None] == np.arange(3)).astype(dtype)
    logits = np.zeros((1, 2, 2, 3), "float32")
    read, counts = targets(ops.convert_to_tensor(one_hot), logits, ignore_class=255)
    assert ops.convert_to_numpy(read).tolist() == [[[0, 2], [1, 0]]]
    assert ops.convert_to_numpy(counts).tolist() == [[[True, True], [True, False]]]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX has no free sizes")
def test_free_sizes_in_a_graph():
    tf = pytest.importorskip("tensorflow")

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None), "int32"),
            tf.TensorSpec((None, None, None, 3)),
        ]
    )
    def read(labels, logits):
        return targets(labels, logits, ignore_class=None)[0]

    labels = np.arange(17 * 9).reshape(1, 17, 9) % 3
    np.testing.assert_array_equal(read(labels, np.zeros((1, 3, 2, 3))), labels[:, ::8, ::8])
    np.testing.assert_array_equal(read(labels, np.zeros((1, 17, 9, 3))), labels)
