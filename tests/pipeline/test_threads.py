"""Stages in threads: order, bounded queues, errors in their place, and no thread left behind."""

import threading
import time

import pytest

from vidtrans.pipeline.threads import Channel, in_thread


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def test_items_keep_their_order_and_run_in_the_named_thread():
    def items():
        for n in range(100):
            yield n, threading.current_thread().name

    with in_thread(items(), name="decode", depth=3) as stage:
        assert list(stage) == [(n, "decode") for n in range(100)]


def test_the_producer_is_never_more_than_depth_ahead():
    made = []

    def items():
        for n in range(20):
            made.append(n)
            yield n

    with in_thread(items(), name="decode", depth=2) as stage:
        for taken, _ in enumerate(stage, start=1):
            time.sleep(0.005)
            assert len(made) <= taken + 2 + 1  # two waiting and one in the producer's hand
    assert len(made) == 20


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("frame 2 is broken")

    with in_thread(items(), name="decode") as stage:
        assert next(stage) == 1
        assert next(stage) == 2
        with pytest.raises(ValueError, match="frame 2"):
            next(stage)


def test_a_consumer_that_fails_stops_every_stage_behind_it():
    closed = []

    def source():
        try:
            n = 0
            while True:
                yield n
                n += 1
        finally:
            closed.append(("source", threading.current_thread().name))

    def middle():
        try:
            with in_thread(source(), name="decode") as items:
                for item in items:
                    yield item * 10
        finally:
            closed.append(("middle", threading.current_thread().name))

    def encode():
        with in_thread(middle(), name="translate") as items:
            for item in items:
                if item == 50:
                    raise OSError("disk full")

    with pytest.raises(OSError, match="disk"):
        encode()
    assert closed == [("source", "decode"), ("middle", "translate")]


def test_a_middle_stage_that_fails_stops_the_source_and_is_raised_in_the_caller():
    def source():
        n = 0
        while True:
            yield n
            n += 1

    def middle():
        with in_thread(source(), name="decode") as items:
            for item in items:
                if item == 7:
                    raise RuntimeError("frame 7")
                yield item

    got = []
    with (
        pytest.raises(RuntimeError, match="frame 7"),
        in_thread(middle(), name="translate") as items,
    ):
        got.extend(items)
    assert got == list(range(7))


def test_a_consumer_may_leave_early():
    with in_thread(iter(range(10**9)), name="decode") as stage:
        assert next(stage) == 0


def test_base_exceptions_reach_the_caller_too():
    def items():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), in_thread(items(), name="decode") as stage:
        for _ in stage:
            pass


def test_a_failure_while_closing_is_not_lost():
    def items():
        try:
            yield 1
        finally:
            raise OSError("the trailer could not be written")

    with pytest.raises(OSError, match="trailer"), in_thread(items(), name="decode") as stage:
        for _ in stage:
            pass


def test_items_are_let_go_of():
    import gc
    import weakref

    class Item:
        pass

    refs = []

    def items():
        for _ in range(5):
            item = Item()
            refs.append(weakref.ref(item))
            yield item
            del item

    with in_thread(items(), name="decode", depth=1) as stage:
        for item in stage:
            del item
    gc.collect()
    assert [r() for r in refs] == [None] * 5


def test_a_channel_needs_room():
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)
