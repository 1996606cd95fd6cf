"""The slow proofs (`make proofs`): thousands of frames, a dozen power cuts, the embedded model
from end to end."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vidtrans.assets.demo_clip import demo_instances, demo_labels
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import Budgets
from vidtrans.preview.film import open_film

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
VIDTRANS, FILTER = (
    str(Path(sys.executable).with_name(name)) for name in ("vidtrans", "vidtrans-filter")
)


def never() -> bool:
    return False


def test_memory_does_not_grow_over_three_thousand_frames():
    """Flat, as the command says it: at most 16 MiB more after frame 3,000 than after frame 200."""
    said = subprocess.run(
        [VIDTRANS, "bench", "memory"], capture_output=True, text=True, check=True
    ).stdout
    figures = json.loads(said)
    assert figures["frames"] == 3000
    assert figures["flat"], figures["growth_mib_after_settling"]


@pytest.mark.parametrize("output", ["film.mp4", "pngs/"])
def test_a_film_survives_a_dozen_power_cuts(
    tmp_path, grey_film, scene, tiny_model, decoded, output
):
    frames = 1200
    film = grey_film(
        tmp_path / "labels.mkv", [scene(n) if n < 500 else scene(n)[:, ::-1] for n in range(frames)]
    )
    words = ["--model", str(tiny_model), "--labels", "cityscapes", "--snapshot-every", "20"]
    subprocess.run(
        [VIDTRANS, "convert", str(film), f"{tmp_path}/whole-{output}", *words], check=True
    )
    rng, cuts, interrupted = (
        random.Random(output),
        0,
        [VIDTRANS, "convert", str(film), f"{tmp_path}/{output}", *words],
    )
    while True:
        run = subprocess.Popen(
            [*interrupted, "--resume", "--progress", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if cuts < 12:
            # So many frames after the first of this run, and then some of the time that a frame
            # takes.
            for _ in range(rng.randrange(25, 90)):
                run.stdout.readline()
            time.sleep(rng.random() * 0.01)
            run.send_signal(signal.SIGKILL)
        _, said = run.communicate()
        if run.returncode != -signal.SIGKILL:
            break
        cuts += 1
    assert run.returncode == 0, said.decode()
    assert cuts >= 10
    made = decoded(tmp_path / output)
    assert len(made) == frames
    assert np.array_equal(made, decoded(tmp_path / f"whole-{output}"))
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_ten_thousand_frames_through_the_pipe():
    """Every frame once, in order, as it was: the same bytes come out of the pipe with the filter
    as without it."""
    source = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x96:rate=100:duration=100",
    ]
    source += ["-pix_fmt", "rgb24", "-c:v", "rawvideo", "-f", "nut", "-"]
    sink = ["ffmpeg", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]

    def digest(*commands):
        running, pipe = [], None
        for command in commands:
            running.append(subprocess.Popen(command, stdin=pipe, stdout=subprocess.PIPE))
            if pipe is not None:
                pipe.close()
            pipe = running[-1].stdout
        size, found = 0, hashlib.sha256()
        while block := pipe.read(1 << 20):
            size += len(block)
            found.update(block)
        assert [process.wait() for process in running] == [0] * len(running)
        return size, found.hexdigest()

    size, wanted = digest(source, sink)
    assert size == 10_000 * 160 * 96 * 3
    assert digest(source, [FILTER, "--model", "identity"], sink) == (size, wanted)


def test_the_embedded_model_is_the_same_in_every_way_to_it(tmp_path, decoded):
    """Twenty loops of the demo with drawn styles: seeks at random, and the film that ``convert``
    writes, bit for bit."""
    loops, size = 20, "128x64"
    films = []
    for source, kind in ((demo_labels(), "gray"), (demo_instances(), "gray16le")):
        films.append(tmp_path / source.name)
        looped = ["ffmpeg", "-v", "error", "-stream_loop", str(loops - 1), "-i", str(source)]
        looped += [
            "-vf",
            f"scale={size.replace('x', ':')}:flags=neighbor",
            "-pix_fmt",
            kind,
            "-c:v",
            "ffv1",
            str(films[-1]),
        ]
        subprocess.run(looped, check=True)
    labels, instances = map(str, films)
    lossless = ["--codec", "libx264rgb", "--encoder-option", "qp=0", "--pixel-format", "rgb24"]
    out = tmp_path / "film.mkv"
    words = ["--instances", instances, "--labels", "cityscapes", "--seed", "7", *lossless]
    subprocess.run([VIDTRANS, "convert", labels, str(out), *words], check=True)
    written = decoded(out)
    assert len(written) == loops * 96
    settings = ConvertSettings.read(
        input=labels,
        instances=instances,
        labels="cityscapes",
        seed=7,
        output="unused.mkv",
        device="cpu",
    )
    with open_film(settings, Budgets()) as film:
        for frame in random.Random(4).sample(range(len(written)), 150):
            film.access.paint(frame, ["final"], never)
            found = film.access.cached(frame, ["final"])["final"]
            assert np.array_equal(found, written[frame]), frame
