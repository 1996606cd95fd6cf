"""Signals: a run stops at a frame's end, and no handler waits for a lock."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from vidtrans.cli.show import interruptible

# A second signal arrives on the n-th line of what the first one's handler calls `set`: within
# threading.Event.set, where its lock is held, the process would never end.
SECOND_SIGNAL = """
import signal, sys
{setup}

def interrupt(nth):
    lines = []
    def second(frame, event, argument):
        if event == "line" and frame.f_code.co_name == "set":
            lines.append(frame.f_lineno)
            if len(lines) == nth:
                signal.raise_signal(signal.SIGTERM)
        return second
    sys.settrace(second)
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        sys.settrace(None)

for nth in range(1, 7):
    stop, handlers = make()
    try:
        with handlers as entered:
            interrupt(nth)
    except KeyboardInterrupt:
        pass
    print((stop or entered).is_set())
"""
VIDTRANS = """
from vidtrans.cli.show import interruptible
def make():
    return None, interruptible()
"""
FILTER = """
from vidtrans_ffmpeg.cli import _interruptible
from vidtrans_ffmpeg.pipes import OutputPipe, CancelEvent
def make():
    cancel = CancelEvent()
    return cancel, _interruptible(cancel, OutputPipe(1))
"""


@pytest.mark.parametrize("setup", [VIDTRANS, FILTER], ids=["vidtrans", "vidtrans-filter"])
def test_a_signal_within_the_handler_of_another_does_not_hang(setup):
    script = SECOND_SIGNAL.format(setup=setup)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n" * 6


def test_the_first_signal_sets_the_flag_and_the_second_ends_the_process():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_leaves_the_handlers_alone():
    before = signal.getsignal(signal.SIGINT)

    def work():
        with interruptible() as stop:
            seen.append((signal.getsignal(signal.SIGINT), stop.is_set()))

    seen = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


@pytest.mark.posix
def test_a_second_signal_ends_the_wait_for_an_address_that_does_not_answer(tmp_path, tiny_model):
    """FFmpeg waits up to its own limit of 20 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/labels.mkv"
        command = [sys.executable, "-m", "vidtrans", "convert", address, str(tmp_path / "film.mkv")]
        command += ["--allow-protocols", "http", "--model", str(tiny_model)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()
            with connection:
                for _ in range(2):
                    process.send_signal(signal.SIGTERM)
                    time.sleep(0.5)
                _, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert "Traceback" not in err
