"""Progress as a value: counts, speed of the last seconds, time left."""

from vidtrans.pipeline.progress import ProgressMeter


def meter_at(times, **kwargs):
    ticks = iter(times)
    return ProgressMeter(clock=lambda: next(ticks), **kwargs)


def test_speed_and_time_left():
    meter = meter_at([0.0, 0.5, 1.0], total=10)
    assert meter.frame().fps == 2.0
    second = meter.frame()
    assert (second.done, second.total, second.fps, second.seconds_left) == (2, 10, 2.0, 4.0)


def test_a_resumed_run_counts_what_was_done_but_not_its_speed():
    meter = meter_at([0.0, 1.0], total=100, done=50)
    progress = meter.frame()
    assert (progress.done, progress.fps, progress.seconds_left) == (51, 1.0, 49.0)


def test_only_the_last_seconds_count():
    meter = meter_at([0.0, *[float(n) for n in range(1, 11)], 10.1, 10.2], total=None, window_s=5)
    for _ in range(10):
        progress = meter.frame()
    assert progress.fps == 1.0
    meter.frame()
    assert meter.frame().fps > 1.2
    assert progress.seconds_left is None


def test_an_unmoving_clock_gives_no_speed():
    progress = meter_at([1.0, 1.0], total=5).frame()
    assert (progress.fps, progress.seconds_left) == (0.0, None)


def test_more_frames_than_told_leave_no_time():
    meter = meter_at([0.0, 1.0, 2.0], total=1)
    meter.frame()
    assert meter.frame().seconds_left == 0.0
