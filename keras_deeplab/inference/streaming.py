"""Ordered processing of a stream in threads, with bounded look-ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, repeat
from typing import Any, TypeVar

WORKERS = min(8, os.cpu_count() or 2)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    workers: int = WORKERS,
    ahead: int = 2 * WORKERS,
) -> Iterator[_Result]:
    """Yields `function(item)` for each item, computed in threads, in the order of the items.

    Its exceptions are raised in place of its result. The items are read in the caller's thread, and
    at most `ahead` results wait.

    Example:

    >>> list(in_order(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[_Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            while pending and (len(pending) >= ahead or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_ahead(items: Iterable[_Item], *, ahead: int = 4) -> Iterator[_Item]:
    """Yields items that a thread reads from their iterator in advance."""
    iterator, end = iter(items), object()

    def draw(_: None) -> Any:
        return next(iterator, end)

    for item in in_order(draw, repeat(None), workers=1, ahead=ahead):
        if item is end:
            return
        yield item


def batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yields lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
