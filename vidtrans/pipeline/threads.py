"""One stage of work in a thread of its own, joined to its consumer by a bounded queue.

Stages are nested: the consumer pulls from a stage, which pulls from the stage before it. Every
stage is an iterator: items arrive in order, an error arrives after the items that preceded it, and
closing the last stage closes every stage before it. Nothing is passed upstream.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A bounded queue between one producer and one consumer; either of them can end it.

    Args:
        depth: The most items that wait in the queue, at least 1.
    """

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
        """Wait for room and add ``item``.

        Returns:
            False where the consumer has closed the queue; the producer then stops.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def finish(self, error: BaseException | None = None) -> None:
        """End the queue from the producer's side.

        Args:
            error: Raised in the consumer after the remaining items; None for a regular end.
        """
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """End the queue from the consumer's side and drop the items that wait."""
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
            del item  # releases the frame while this waits for the next one


def _produce(items: Iterable[T], channel: Channel[T]) -> None:
    error: BaseException | None = None
    iterator = iter(items)
    try:
        for item in iterator:
            if not channel.put(item):
                break
            del item
    except BaseException as caught:
        # Of any kind: it is raised in the consumer and never printed by this thread.
        error = caught
    finally:
        # A generator is closed in the thread that ran it, so that it releases its files and
        # threads before the join.
        close = getattr(iterator, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as caught:
                error = error or caught
        channel.finish(error)


@contextmanager
def in_thread(items: Iterable[T], *, name: str, depth: int = 2) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread of its own, ahead of its consumer.

    On leaving the context, ``items`` is closed in its thread and the thread is joined.

    Args:
        items: The iterator to run.
        name: The thread's name.
        depth: The most finished items that wait for the consumer.

    Returns:
        An iterator of the same items in the same order. What ``items`` raises is raised there,
        after the items that came before it.
    """
    channel: Channel[T] = Channel(depth)
    # A daemon thread, so that a second Ctrl-C during the join below can end the process.
    thread = threading.Thread(target=_produce, args=(items, channel), name=name, daemon=True)
    thread.start()
    try:
        yield iter(channel)
    finally:
        channel.close()
        thread.join()
