"""One stage of work in a thread of its own, joined to its consumer by a bounded queue.

A pipeline is a nest of these: the consumer pulls from a stage that pulls from the stage before it.
Because every stage is an iterator, the rules are those of iterators: items come in order, an error
comes after the items that preceded it, and closing the consumer's end closes every stage behind it.
Nothing is ever handed upstream.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A bounded queue between one producer and one consumer, which either of them can end."""

    def __init__(self, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"a channel holds at least one item, not {depth}")
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._finished = False
        self._error: BaseException | None = None
        self._closed = False

    def put(self, item: T) -> bool:
        """Wait for room and add ``item``; False when the consumer has gone, so that the producer
        can stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def finish(self, error: BaseException | None = None) -> None:
        """The producer's last word: no more items; ``error`` is raised in the consumer after the
        items before it."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """The consumer's last word: it takes no more items, those waiting are dropped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._items) or self._finished or self._closed)
                if not self._items:
                    if self._error is not None and not self._closed:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # a frame must not outlive its turn here while this waits for the next


def _produce(items: Iterable[T], channel: Channel[T]) -> None:
    error: BaseException | None = None
    iterator = iter(items)
    try:
        for item in iterator:
            if not channel.put(item):
                break
            del item
    except BaseException as caught:
        # whatever it is, it is raised where the pipeline was started, never printed by a thread
        error = caught
    finally:
        # A generator is closed in the thread that ran it: files and threads that it holds are let
        # go before the join.
        close = getattr(iterator, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as caught:
                error = error or caught
        channel.finish(error)


@contextmanager
def in_thread(items: Iterable[T], *, name: str, depth: int = 2) -> Iterator[Iterator[T]]:
    """Run the iterator ``items`` in a thread called ``name``, at most ``depth`` finished items
    ahead of the consumer.

    Gives an iterator of the same items in the same order. What ``items`` raises is raised there,
    after the items that came before it. On leaving, ``items`` is closed (in its thread) and the
    thread is joined, whatever happened.
    """
    channel: Channel[T] = Channel(depth)
    # daemon: a second Ctrl-C during the join below must be able to end the process.
    thread = threading.Thread(target=_produce, args=(items, channel), name=name, daemon=True)
    thread.start()
    try:
        yield iter(channel)
    finally:
        channel.close()
        thread.join()
