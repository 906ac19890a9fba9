import threading
import time

import pytest

from keras_deeplab.inference.streaming import batched, in_order, read_ahead


def test_results_come_in_the_order_of_the_items():
    def slow_first(x):
        time.sleep(0.02 if x == 0 else 0)
        return 10 * x

    assert list(in_order(slow_first, range(20))) == [10 * x for x in range(20)]
    assert list(in_order(abs, [])) == []


def test_no_more_than_asked_for_is_drawn_ahead():
    drawn = []
    wait = threading.Event()

    def draw():
        for number in range(50):
            drawn.append(number)
            yield number

    results = in_order(lambda x: wait.wait(5) and x, draw(), ahead=6)
    threading.Timer(0.05, wait.set).start()
    assert next(results) == 0
    assert len(drawn) == 6


def test_an_error_is_raised_where_its_result_is_due():
    results = in_order(lambda x: 1 // x, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_end_with_the_stream():
    before = threading.active_count()
    results = in_order(abs, range(1000))
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before


def test_read_ahead_draws_in_one_thread():
    threads = set()

    def draw():
        for number in range(9):
            threads.add(threading.get_ident())
            yield number
        raise OSError("gone")

    results = read_ahead(draw(), ahead=3)
    assert [next(results) for _ in range(9)] == list(range(9))
    with pytest.raises(OSError, match="gone"):
        next(results)
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_batches():
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([], 2)) == []
