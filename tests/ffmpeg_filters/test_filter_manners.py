"""Prompt, quiet, and honest about what was not whole."""

from __future__ import annotations

import io
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time

import av
import numpy as np
import pytest
from vidtrans_ffmpeg.demuxing import open_input, probe_container
from vidtrans_ffmpeg.framing import MatroskaFraming
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe
from vidtrans_ffmpeg.run import FilterSettings, run_filter

from vidtrans.errors import InputError
from vidtrans.media.pixels import ColourTags

if sys.platform != "win32":
    import fcntl
    import termios

RAW, FFV1 = ("-c:v", "rawvideo"), ("-c:v", "ffv1")
STREAMS = {
    "nut": (*RAW, "-f", "nut"),
    "nut_ffv1": (*FFV1, "-f", "nut"),
    "y4m": ("-pix_fmt", "gray", "-strict", "-1", "-f", "yuv4mpegpipe"),
    "matroska": (*FFV1, "-f", "matroska"),
}


def frame_starts(data: bytes) -> list[int]:
    """Where each frame's packet begins, and the end."""
    with av.open(io.BytesIO(data)) as container:
        return [packet.pos for packet in container.demux(video=0) if packet.size] + [len(data)]


# -- latency ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(STREAMS))
def test_a_picture_is_out_before_the_frame_after_the_next_is_sent(ids, send, show, name):
    data = send(ids, *STREAMS[name])
    starts = frame_starts(data)
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    cancel = CancelEvent()
    collected = bytearray()

    def work() -> None:
        run_filter(
            FilterSettings(model="identity"),
            InputPipe(in_read, cancel),
            OutputPipe(out_write),
            cancel,
        )
        os.close(out_write)

    def collect() -> None:
        while part := os.read(out_read, 1 << 16):
            collected.extend(part)

    def is_out(number: int) -> bool:
        if name != "matroska":
            return ids[number].tobytes() in collected  # bare pixels
        clusters, whole = collected.count(b"\x1f\x43\xb6\x75"), MatroskaFraming()
        whole.feed(bytes(collected))
        return clusters > number and whole.incomplete() is None

    threads = [threading.Thread(target=work), threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    os.write(in_write, data[: starts[0]])
    for number in range(len(ids)):
        # Frame `number` is sent to its last byte, and nothing of the next. Matroska's last frame is
        # out with the one after.
        os.write(in_write, data[starts[number] : starts[number + 1]])
        awaited = number - 1 if name == "matroska" else number
        deadline = time.monotonic() + 20
        while awaited >= 0 and not is_out(awaited):
            assert time.monotonic() < deadline, (
                f"frame {awaited} is not out, and {number + 1} frames are in"
            )
            time.sleep(0.002)
    os.close(in_write)
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    for descriptor in (in_read, out_read):
        os.close(descriptor)
    cancel.close()
    np.testing.assert_array_equal(show(bytes(collected), "gray", (32, 64)), ids)


# -- what was not whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["one byte", "half a frame", "within the head of a frame"])
@pytest.mark.parametrize("name", list(STREAMS))
def test_a_truncated_last_frame_is_told_after_the_whole_ones(
    ids, send, run_through, show, name, cut
):
    data = send(ids, *STREAMS[name])
    starts = frame_starts(data)
    if name == "matroska":  # what follows the last frame is an index
        data = data[: data.rfind(b"\x1c\x53\xbb\x6b")] if b"\x1c\x53\xbb\x6b" in data else data
        starts[-1] = len(data)
    if name.startswith("nut") and (index := data.rfind(b"NX\xddg/#\xe6N")) > 0:
        starts[-1] = index
    length = starts[-1] - starts[-2]
    end = {
        "one byte": starts[-1] - 1,
        "half a frame": starts[-1] - length // 2,
        "within the head of a frame": starts[-2] + 3,
    }[cut]
    done = run_through(data[:end])
    assert isinstance(done.error, InputError)
    assert done.error.exit_code == 3
    assert "truncated" in str(done.error)
    assert "<stdin>" in str(done.error)
    np.testing.assert_array_equal(show(done.out, "gray", (32, 64)), ids[:-1])


@pytest.mark.parametrize("name", list(STREAMS))
def test_the_check_for_truncation_holds_no_frames(ids, send, tmp_path, name):
    """A stream of hours passes through; what is kept of it must not grow with its length."""
    path = tmp_path / "stream"
    path.write_bytes(send(np.concatenate([ids] * 40), *STREAMS[name]))
    cancel = CancelEvent()
    with path.open("rb", buffering=0) as file:
        pipe = InputPipe(file.fileno(), cancel)
        container = probe_container(pipe)
        reader = open_input(pipe, cancel, container, max_side=64, raw=None, tags=ColourTags())
        with reader:
            assert sum(1 for _ in zip(range(200), reader, strict=False)) == 200
        held = len(pickle.dumps(pipe.framing))
    assert held < 3 * ids[0].nbytes + 10_000  # of NUT, its table of 256 frame codes
    cancel.close()


def test_rawvideo_that_does_not_fit_its_geometry(ids, run_through):
    from fractions import Fraction

    from vidtrans_ffmpeg.demuxing import RawVideoFormat

    raw = RawVideoFormat((31, 64), "gray", Fraction(25))
    done = run_through(ids.tobytes(), format="rawvideo", raw=raw)
    assert isinstance(done.error, InputError)
    assert "its last frame has 384 bytes of 1984" in str(done.error)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "nothing came in"),
        (b"YUV", "neither y4m nor NUT nor Matroska"),
        (b"RIFF....AVI LIST", "neither y4m nor NUT nor Matroska"),
        (b"YUV4MPEG2 W64 H32 F25:1 Ip A1:1 Cmono\n", "holds no frames"),
        (b"YUV4MPEG2 nonsense\n", "not a film"),
        (b"nut/multimedia container\0 and then words", "not a film"),
        (b"\x1aE\xdf\xa3 and then words", ""),
    ],
)
def test_what_is_no_video(run_through, data, sentence):
    done = run_through(data)
    assert isinstance(done.error, InputError)
    assert sentence in str(done.error)
    assert done.out == b""


def test_a_size_change_midway(send, run_through, tmp_path):
    parts = []
    for size in ((32, 64), (64, 32)):
        noise = np.random.default_rng(0).integers(0, 255, (4, *size, 3), dtype=np.uint8)
        parts.append(
            send(noise, "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-f", "h264")
        )
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-r",
        "25",
        "-i",
        tmp_path / "a.h264",
        "-c",
        "copy",
        "-f",
        "matroska",
        "-",
    ]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    done = run_through(data)
    assert isinstance(done.error, InputError)
    assert "frame 4: the size changes from 64x32 to 32x64" in str(done.error)


def test_damage_in_the_middle_is_told(ids, send, run_through):
    data = bytearray(send(ids.repeat(4, 1).repeat(4, 2), "-c:v", "png", "-f", "nut"))
    data[len(data) // 2] ^= 255
    done = run_through(bytes(data))
    assert isinstance(done.error, InputError)


# -- words -----------------------------------------------------------------------------------------


def test_labels_through_a_lossy_codec_are_warned_of(ids, send, run_through, caplog):
    run_through(send(ids, "-f", "nut"))  # no -c:v: MPEG-4
    assert "lossy codec (mpeg4)" in caplog.text
    assert "-c:v rawvideo" in caplog.text


def test_subsampled_colours_are_warned_of_and_bare_grey_is_not(ids, send, run_through, caplog):
    run_through(send(ids, *STREAMS["nut"]))
    assert caplog.text == ""
    run_through(send(ids, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"))
    assert "subsampled chroma" in caplog.text


# -- the command -----------------------------------------------------------------------------------


def started(*words: str) -> subprocess.Popen:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command(*words), **pipes)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "vidtrans_ffmpeg", *words]


def ended(process: subprocess.Popen, timeout: float = 30) -> tuple[int, str]:
    try:
        process.wait(timeout)
    finally:
        process.kill()
    return process.returncode, process.stderr.read().decode()


def test_frames_only_on_stdout_and_nothing_on_stderr(ids, send):
    done = subprocess.run(
        command("--model", "identity"),
        input=send(ids, *STREAMS["nut"]),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    with av.open(io.BytesIO(done.stdout)) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(ids)


def test_a_mistake_is_one_sentence_and_no_frame(ids, send):
    data = send(ids, *STREAMS["nut"])
    for words, code, sentence in (
        (("--model", "identity"), 3, "nothing came in"),
        (("--model", "nowhere.safetensors"), 4, "nowhere.safetensors"),
        (("--format", "rawvideo"), 2, "Give --input-size"),
        (("--pixel-format", "gray"), 2, "are for --format rawvideo"),
        (("--format", "avi"), 2, "--format is one of"),
        (("--nonsense",), 2, "--nonsense"),
        (
            ("--model", "identity", "--output-format", "y4m", "--output-pixel-format", "rgb24"),
            2,
            "y4m has no pixel format",
        ),
    ):
        done = subprocess.run(
            command(*words), input=b"" if code == 3 else data, capture_output=True, check=False
        )
        said = done.stderr.decode()
        assert done.returncode == code, said
        assert sentence in said
        assert said.startswith("vidtrans-filter: error: ")
        assert said.count("\n") == 1
        assert done.stdout == b""


def test_a_reader_that_has_gone_is_141_quietly(ids, send):
    data = send(np.concatenate([ids] * 40), *STREAMS["nut"])
    process = subprocess.Popen(
        command("--model", "identity"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    feeder = threading.Thread(target=lambda: _feed(process, data))
    feeder.start()
    process.stdout.read(3000)
    process.stdout.close()
    code, said = ended(process)
    feeder.join()
    assert code == 141
    assert said == ""


def _feed(process, data):
    try:
        while not process.poll():
            process.stdin.write(data)
    except (BrokenPipeError, ValueError):
        pass


def wait_until_full(pipe) -> None:
    """Wait until whoever writes into ``pipe`` has to wait for a reader, as far as can be told: the
    bytes in it grow no more."""
    select.select([pipe], [], [])
    before = -1
    while (now := waiting_bytes(pipe)) != before:
        before = now
        time.sleep(0.3)


def waiting_bytes(pipe) -> int:
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


@pytest.mark.posix
@pytest.mark.parametrize("size_hw", [(32, 64), (288, 320)], ids=["small", "held"])
@pytest.mark.parametrize("stalled", ["waiting for a frame", "within a frame", "nobody reads"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_130(send, stalled, number, size_hw):
    frames = (16 << 20) // (size_hw[0] * size_hw[1])  # more than all pipes hold
    data = send(np.zeros((frames, *size_hw), np.uint8), *STREAMS["nut"])
    start = frame_starts(data)
    process = started("--model", "identity")
    if stalled == "nobody reads":
        feeder = threading.Thread(target=lambda: _feed(process, data))
        feeder.start()
        wait_until_full(process.stdout)
    else:
        # The filter is ready for signals once the second frame comes out.
        more = (start[3] - start[2]) // 2 if stalled == "within a frame" else 0
        process.stdin.write(data[: start[2] + more])
        process.stdin.flush()
        assert len(process.stdout.read(start[1])) == start[1]
        time.sleep(0.3)
    process.send_signal(number)
    code, said = ended(process)
    if stalled == "nobody reads":
        feeder.join()
    assert code == 130
    assert said == "vidtrans-filter: interrupted.\n"


@pytest.mark.linux
def test_a_full_disk_is_5(ids, send):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            command("--model", "identity"),
            input=send(ids, *STREAMS["nut"]),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 5
    assert b"there is no space left on the disk" in done.stderr


def test_what_else_prints_goes_to_stderr(ids, send):
    program = (
        "import sys, os; from vidtrans_ffmpeg import run, cli\nwhole = run.run_filter\ndef"
        " noisy(*a): print('a library speaks'); os.write(1, b'and another\\n'); return"
        " whole(*a)\nrun.run_filter = noisy\nsys.exit(cli.main(['--model', 'identity']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=send(ids, *STREAMS["nut"]),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(b"nut/multimedia container")
    assert b"speaks" not in done.stdout
    assert b"another" in done.stderr
