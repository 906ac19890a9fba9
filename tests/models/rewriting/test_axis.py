import numpy as np
import pytest

from keras_deeplab.models.rewriting.axis import SIZES, Axis, Window

IMAGE = Axis.of_image()


def at(values: np.ndarray, size: int):
    return values[size == SIZES][0]


def test_lengths_and_paddings_of_same():
    """A 3x3 window with stride 2 pads one side of even lengths, and both sides of odd ones."""
    window = Window(3, 1, 2, same=True)
    lengths = np.array([5, 6, 7])
    assert window.lengths(lengths).tolist() == [3, 3, 4]
    assert window.paddings(lengths).tolist() == [1, 0, 1]
    assert Window(3, 2, 1, same=False, before=1, after=2).lengths(lengths).tolist() == [4, 5, 6]


def test_a_stride_is_kept_until_the_output_stride():
    window = Window(3, 1, 2, same=True)
    axis, atrous = IMAGE.strided(window, output_stride=2)
    assert (axis.stride, axis.rate, axis.offset) == (2, 1, 0)
    assert (atrous.stride, atrous.rate) == (2, 1)
    assert axis.exact.all()
    axis, atrous = axis.strided(window, output_stride=2)
    # The window itself keeps the old rate; what follows dilates by 2.
    assert (axis.stride, axis.rate) == (2, 2)
    assert tuple(atrous) == (1, 1, 1, 1)
    axis, atrous = axis.strided(Window(3, 1, 1, same=True), output_stride=2)
    assert tuple(atrous) == (1, 2, 2, 2)
    axis, atrous = axis.strided(window, output_stride=2)
    assert (axis.stride, axis.rate) == (2, 4)
    assert tuple(atrous) == (1, 2, 2, 2)


def test_same_padding_is_exact_at_sizes_that_every_stride_divides_but_for_one():
    window = Window(3, 1, 2, same=True)
    axis, _ = IMAGE.strided(window, output_stride=2)
    axis, _ = axis.strided(window, output_stride=2)
    assert at(axis.exact, 65)
    assert at(axis.original, 65) == 17
    assert at(axis.atrous, 65) == 33
    # 67 becomes 34, whose "same" padding is on one side only.
    assert not at(axis.exact, 67)


def test_same_padding_of_even_sizes():
    """Each window starts at pixel 2 i, so that a 3x3 one is centred at 2 i + 1."""
    window = Window(3, 1, 2, same=True)
    axis, atrous = IMAGE.strided(window, output_stride=1, even_sizes=True)
    assert (atrous.before, atrous.after, axis.offset) == (1, 1, 1)
    assert at(axis.exact, 66)
    assert not at(axis.exact, 65)
    for size, stride, padding in ((7, 2, 2), (5, 2, 1), (3, 1, 1), (1, 2, 0), (2, 2, 0)):
        assert Window(size, 1, stride, same=True).usual_padding(True) == padding


@pytest.mark.parametrize(("before", "after", "offset"), [(1, 1, 0), (0, 1, 1), (0, 0, 1)])
def test_windows_are_centred(before: int, after: int, offset: int):
    """Without padding ahead, pixel i of the original is centred at 2 i + 1."""
    window = Window(3, 1, 2, same=False, before=before, after=after)
    axis, atrous = IMAGE.strided(window, output_stride=1)
    assert (atrous.before, atrous.after) == (1, 1)
    assert axis.offset == offset
    np.testing.assert_array_equal(axis.atrous, SIZES)


def test_even_windows():
    window = Window(2, 1, 2, same=False)
    axis, atrous = IMAGE.strided(window, output_stride=1)
    assert (atrous.before, atrous.after, axis.offset) == (0, 1, 0)
    axis, atrous = axis.strided(window, output_stride=1)
    assert (atrous.before, atrous.after, axis.offset) == (1, 1, 1)
    # An odd length leaves a pixel over, which the next window reads: 66 is even, and 33 odd.
    assert at(axis.exact, 68)
    assert not at(axis.exact, 65)


def test_paddings_and_croppings_are_multiplied_by_the_rate():
    axis, _ = IMAGE.strided(Window(1, 1, 2, same=False), output_stride=1)
    padded = axis.padded(0, 1)
    assert at(padded.original, 65) == at(axis.original, 65) + 1
    assert at(padded.atrous, 65) == at(axis.atrous, 65) + 2
    cropped = padded.padded(-1, 0)
    np.testing.assert_array_equal(cropped.atrous, axis.atrous)
    assert cropped.offset == axis.offset


def test_missing_pixels_are_not_exact():
    axis, _ = IMAGE.strided(Window(1, 1, 2, same=False), output_stride=1)
    assert at(axis.shifted(1).exact, 66)
    assert not at(axis.shifted(1).exact, 65)
