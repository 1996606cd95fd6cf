"""``make faults``: a batch that is killed at random moments until it is done loses nothing.

``VIDTRANS_FAULTS`` is the number of batches, each killed as often as it takes; 5 by default, and
the suite's short form is ``test_kill_9_of_all_loses_nothing``.
"""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from vidtrans.batches.ledger import Ledger
from vidtrans.batches.naming import RECORD
from vidtrans.cli import main

ROUNDS = int(os.environ.get("VIDTRANS_FAULTS", "5"))
KILLS = 6
"""Of each batch; what is left is then done undisturbed."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, grey_film, scene):
    """Two films, and a folder of pictures."""
    import cv2

    top = tmp_path_factory.mktemp("faults") / "in"
    (top / "seq").mkdir(parents=True)
    for n, length in enumerate((60, 41)):
        grey_film(top / f"c{n}.mkv", [scene(i + n) for i in range(length)])
    for n in range(30):
        cv2.imwrite(str(top / "seq" / f"s_{n:03d}.png"), scene(n))
    return top


@pytest.fixture(scope="module")
def words(inputs, tiny_model):
    """The command's words for a folder."""
    options = ["--model", str(tiny_model), "--labels", "cityscapes", "--device", "cpu"]
    options += ["--snapshot-every", "7", "--workers", "2"]
    return lambda out: ["batch", str(inputs), str(out), *options]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The outputs of a batch that was left in peace."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(words(out)) == 0
    return out


def outputs(out):
    return {
        path.relative_to(out).as_posix(): path
        for path in out.rglob("*")
        if path.is_file() and RECORD not in path.parts
    }


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_at_random_moments(words, whole, decoded, tmp_path, seed):
    draw = random.Random(seed)
    out = tmp_path / "out"
    for _ in range(KILLS):
        run = subprocess.Popen([sys.executable, "-m", "vidtrans", *words(out)])
        time.sleep(draw.uniform(0.5, 12.0))
        children = subprocess.run(
            ["pgrep", "-P", str(run.pid)], capture_output=True, text=True
        ).stdout.split()
        # Sometimes the parent alone, sometimes a worker alone, sometimes all.
        every = [run.pid, *map(int, children)]
        for pid in draw.choice([every[:1], every[1:2], every]):
            if run.poll() is None or pid != run.pid:
                os.kill(pid, signal.SIGKILL)
        try:
            run.wait(draw.uniform(0.5, 3.0))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
        for path in outputs(out).values():
            if path.suffix == ".mp4":
                decoded(path)  # whole as soon as it is there
    assert main(words(out)) == 0
    with Ledger(out / RECORD, create=False) as record:
        assert {entry.state for entry in record.entries()} == {"done"}
    assert {*outputs(out)} == {*outputs(whole)}
    for name, path in outputs(out).items():
        assert np.array_equal(decoded(path), decoded(whole / name)), name
