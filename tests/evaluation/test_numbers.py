from keras_deeplab.evaluation.numbers import duration, percent


def test_numbers_are_written_short():
    assert [percent(0.5), percent(1.0), percent(float("nan"))] == ["50.0 %", "100.0 %", "\u2013"]
    assert percent(None) == "\u2013"
    assert [duration(0.0004), duration(0.0834), duration(0.9999)] == ["0 ms", "83 ms", "1.00 s"]
